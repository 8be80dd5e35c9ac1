import { type AutoUpgradeState, parseDelegateVersion } from '@sallyport/protocol';
import type { Delegate } from '../delegates/delegate-store.ts';
import type { UpgraderCall } from './check-store.ts';
import { runsTag } from './running-version.ts';

/** An upgrader that was not heard of for this long is not there; it is to call every 60 minutes, and may every 90. */
export const UPGRADER_GONE_AFTER_MS = 90 * 60_000;

/**
 * The state of a delegate by the calls of its account's upgraders. A call that names no delegate is taken to be about
 * those that run the version which it names.
 */
export function autoUpgradeState(
  name: string,
  instances: readonly Delegate[],
  calls: readonly UpgraderCall[],
  now: number,
): AutoUpgradeState {
  const isThere = ({ at }: UpgraderCall) => now - at < UPGRADER_GONE_AFTER_MS;
  const named = calls.find((call) => call.delegateName === name);
  // Another upgrader may have taken the place of one that named it.
  const own = named && isThere(named) ? named : (calls.find((call) => isAbout(call, instances)) ?? named);
  if (own === undefined) {
    const first = Math.min(...instances.map((instance) => instance.registeredAt));
    return now - first < UPGRADER_GONE_AFTER_MS ? 'DETECTING' : 'OFF';
  }
  if (!isThere(own)) return 'OFF';
  return own.isCurrent && instances.some((instance) => runsTag(instance, own.tag, 0)) ? 'ON' : 'SYNCHRONIZING';
}

function isAbout({ delegateName, tag }: UpgraderCall, instances: readonly Delegate[]): boolean {
  if (delegateName !== '') return false;
  return instances.some(({ version }) => version === tag || (parseDelegateVersion(version) === null && version === ''));
}
