import { SallyportError } from '@sallyport/protocol';
import type { LiveConnection } from './live-connections.ts';
import { canonicalHost } from './server-name.ts';

/**
 * A request must be for the name that its connection was made for. On a connection admitted by one endpoint a request
 * for another host would be one tenant speaking through the other's door (RFC 9110 7.4, 15.5.20).
 * Throws MISDIRECTED_REQUEST (421). A public connection made without SNI, to an address, has no name to compare.
 */
export function checkHost(connection: LiveConnection | undefined, hostHeader: string | undefined): void {
  if (connection === undefined) return;
  const { serverName } = connection.identity;
  if (serverName === null && connection.identity.listener === 'public') return;
  const host = canonicalHost(hostHeader);
  if (host !== null && host === serverName) return;
  throw new SallyportError(
    'MISDIRECTED_REQUEST',
    `The request is for host '${(hostHeader ?? '').slice(0, 260)}', the connection was made for '${serverName}'.`,
  );
}
