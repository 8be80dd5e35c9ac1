import { judgeTransport } from '@sallyport/trust';
import type { Bus } from '../bus/bus.ts';
import type { TrustDirectory } from '../endpoints/trust-directory.ts';
import type { Presence } from './presence.ts';

/**
 * A stream that is cut takes its delegate off the list by ending; a poller whose connection is cut would stay on it until
 * it has been silent for long. Returns what ends the watch.
 */
export function watchPollers(bus: Bus, directory: TrustDirectory, presence: Presence): () => void {
  return bus.subscribe('trust-changed', async ({ accountId }) => {
    const endpoint = await directory.byAccount(accountId);
    presence.dropPollers(accountId, ({ transport }) => {
      const authority = transport === 'MTLS' ? (endpoint?.fqdn ?? 'a removed endpoint') : null;
      return judgeTransport({ endpoint, authority }).admitted;
    });
  });
}
