import { compareDelegateVersions, parseDelegateVersion } from '@sallyport/protocol';
import type { Delegate } from '../delegates/delegate-store.ts';

/**
 * Whether an instance runs the image with this tag. A delegate whose version is not that of its image counts when it came
 * after `since`: there is nothing else to tell it by.
 */
export function runsTag(
  { version, registeredAt }: Pick<Delegate, 'version' | 'registeredAt'>,
  tag: string | null,
  since: number,
): boolean {
  const running = parseDelegateVersion(version);
  const wanted = parseDelegateVersion(tag ?? '');
  if (running === null || wanted === null) return version !== '' && version === tag ? true : registeredAt >= since;
  return compareDelegateVersions(running, wanted) === 0;
}
