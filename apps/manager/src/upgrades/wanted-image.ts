import {
  compareDelegateVersions,
  formatImageReference,
  type ImageReference,
  isWhatIsWanted,
  isWhatIsWantedOrMirrored,
  parseDelegateVersion,
  parseImageReference,
  versionInTag,
} from '@sallyport/protocol';
import type { Override } from './override-store.ts';
import type { Release } from './release-store.ts';

/** What a delegate that runs `current` should run, and on whose word. */
export type Wanted =
  | {
      readonly change: false;
      /** False when it should run another image, and is not brought to it. */
      readonly isCurrent: boolean;
      readonly reason?: string;
    }
  | { readonly change: true; readonly image: string; readonly isOlder: boolean; readonly release: Release | null };

export interface WantedParts {
  readonly current: ImageReference;
  /** The version that the delegate reports; it counts where its image names none. */
  readonly running: string | null;
  /** What the account's ring publishes, halted or not. */
  readonly release: Release | null;
  /** The account's override, when it is in force. */
  readonly override: Override | null;
}

const KEEP: Wanted = { change: false, isCurrent: true };

/**
 * The override goes before the ring. An older image is wanted only when whoever chose it said that older is meant: as
 * the text differs, a plain comparison would take a delegate back without anybody having decided that.
 */
export function wantedImage({ current, running, release, override }: WantedParts): Wanted {
  const published = release === null ? null : parseImageReference(release.image);
  if (override !== null) {
    const image = overriddenImage(override.version, published ?? current);
    if (image === null) return KEEP;
    // A whole image is meant as it is written: it may be the same version of a registry of one's own.
    const isIt = isBareTag(override.version) ? isWhatIsWantedOrMirrored : isWhatIsWanted;
    return isIt(current, image)
      ? KEEP
      : towards({ current, running, image, allowOlder: override.allowOlder, release: null });
  }
  if (release === null || published === null || release.status === 'HALTED') return KEEP;
  const image = inTheFlavourOf(current, published);
  if (image === null || isWhatIsWantedOrMirrored(current, image)) return KEEP;
  return towards({ current, running, image, allowOlder: release.allowOlder, release });
}

/** The image of an override: a bare tag stands for the repository that the ring publishes from. */
export function overriddenImage(version: string, repository: ImageReference): ImageReference | null {
  if (isBareTag(version)) return { ...repository, tag: version, digest: null };
  return parseImageReference(version);
}

export function isBareTag(version: string): boolean {
  return !/[/:@]/.test(version);
}

function towards({ current, running, image, allowOlder, release }: Step): Wanted {
  const to = formatImageReference(image);
  const from = versionInTag(current.tag) ?? versionInTag(running);
  const next = versionInTag(image.tag);
  const isKnown = from !== null && next !== null;
  const isOlder = isKnown && compareDelegateVersions(next, from) < 0;
  // A digest and nothing else is somebody's choice of those very bytes.
  const isUnpinned = current.tag === null && current.digest !== null && image.digest === null;
  const isMeant = isKnown && !isOlder && !isUnpinned;
  if (isMeant || allowOlder) return { change: true, image: to, isOlder: !isMeant, release };
  if (isOlder && versionInTag(current.tag) !== null) return KEEP;
  const why = isUnpinned
    ? 'its digest would be taken away'
    : isOlder
      ? `its delegate reports the newer version ${running}`
      : 'its version cannot be told, neither by its tag nor by a delegate that registered';
  const reason = `${formatImageReference(current)} stays, and does not go to ${to}: ${why}. To go there, publish or override it with --allow-older.`;
  return { change: false, isCurrent: isOlder, reason };
}

interface Step {
  readonly current: ImageReference;
  readonly running: string | null;
  readonly image: ImageReference;
  readonly allowOlder: boolean;
  readonly release: Release | null;
}

/**
 * A delegate of the minimal image gets the minimal image of the version, and one of the full image the full one: a ring
 * publishes a version. Null when the publication is pinned to a digest, which only one of the two has.
 */
export function inTheFlavourOf(current: ImageReference, published: ImageReference): ImageReference | null {
  const [now, next] = [parseDelegateVersion(current.tag ?? ''), parseDelegateVersion(published.tag ?? '')];
  if (now === null || next === null || now.minimal === next.minimal) return published;
  if (published.digest !== null) return null;
  const tag = published.tag ?? '';
  return { ...published, tag: now.minimal ? `${tag}.minimal` : tag.replace(/\.minimal$/, '') };
}
