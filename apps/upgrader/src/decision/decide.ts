import {
  compareDelegateVersions,
  formatImageReference,
  type ImageReference,
  isWhatIsWanted,
  parseImageReference,
  repositoryOf,
  type UpgradeCheck,
  versionInTag,
} from '@sallyport/protocol';
import type { ImagePolicy } from '../config/upgrader-config.ts';
import { isListed } from './allowed-repositories.ts';

/** What to do with a container, and why, as sentences for whoever reads the log. */
export type Decision =
  | { readonly action: 'keep'; readonly why: string }
  | { readonly action: 'set'; readonly image: string; readonly why: string }
  | { readonly action: 'refuse'; readonly why: string; readonly remedy: string };

/** The image as the manager knows it, without the mirror in front; the registry that the mirror stands for is not in it. */
export function withoutMirror(image: string, policy: Pick<ImagePolicy, 'registryMirror'>): string {
  const { registryMirror } = policy;
  return registryMirror !== null && isMirrored(image, policy) ? image.slice(registryMirror.length + 1) : image;
}

function isMirrored(image: string, { registryMirror }: Pick<ImagePolicy, 'registryMirror'>): boolean {
  return registryMirror !== null && image.startsWith(`${registryMirror}/`);
}

/**
 * Judges the manager's answer about a container that runs `current`. Nothing of it is believed unchecked: whoever can
 * answer in the manager's place, or operate it, could otherwise run any image with the delegate's rights.
 */
export function decide(current: string, answer: UpgradeCheck, policy: ImagePolicy): Decision {
  if (!answer.shouldUpgrade) {
    return { action: 'keep', why: printable(answer.reason) ?? `${current} is what the manager wants.` };
  }
  const image = parseImageReference(answer.imageTag);
  if (image === null) {
    return refuse(
      `The manager named ${JSON.stringify(answer.imageTag.slice(0, 200))}, which is not an image reference.`,
      'Check that the address is that of your manager; nothing was changed.',
    );
  }
  const present = parseImageReference(withoutMirror(current, policy));
  const text = formatImageReference(image);
  const mirrored = throughMirror(image, policy);
  // The registry's name gives way to the mirror's: what is left of both is compared.
  const comparable = isMirrored(current, policy) ? { ...image, registry: null } : image;
  if (mirrored === current || (present !== null && isWhatIsWanted(present, comparable))) {
    return { action: 'keep', why: `${current} is what the manager wants.` };
  }
  // A list has the published names, also where a mirror is in front. Without a list only the tag may change: the repository is the one that somebody chose for the container.
  const isSame = present !== null && repositoryOf(present) === repositoryOf(comparable);
  if (!(policy.allowedRepositories === null ? isSame : isListed(image, policy.allowedRepositories))) {
    return refuse(
      `The manager named ${text}, whose repository ${repositoryOf(image)} is not allowed here.`,
      `Add "${repositoryText(image)}" to allowedRepositories if you trust it.`,
    );
  }
  if (image.tag === null)
    return refuse(`The manager named ${text}, which has no tag.`, 'Publish an image with a version.');
  if (policy.requireDigest && image.digest === null) {
    return refuse(
      `The manager named ${text}, which is not pinned to a digest.`,
      'Publish it as REPOSITORY:TAG@sha256:DIGEST, or set requireDigest to false.',
    );
  }
  // What the image does not say the delegate has told the manager.
  const from = versionInTag(present?.tag ?? null) ?? versionInTag(answer.currentVersion ?? null);
  const to = versionInTag(image.tag);
  const older = from !== null && to !== null && compareDelegateVersions(to, from) < 0;
  // A tag that names no version is another image tomorrow, and nobody can say how old it is.
  const unknown = from === null || to === null;
  const unpinned = present !== null && present.tag === null && present.digest !== null && image.digest === null;
  const doubtful = older || unknown || unpinned;
  if (doubtful && !answer.allowOlder) {
    const what = older ? 'is older than' : unknown ? 'may be older than' : 'takes away the digest of';
    return refuse(
      `The manager named ${text}, which ${what} ${current}, and did not say that older is meant.`,
      'Override the version with --allow-older if it is.',
    );
  }
  if (doubtful && !policy.acceptOlder) {
    return refuse(
      `The manager named ${text}, which may be older than ${current}, and acceptOlder is false here.`,
      'Set acceptOlder to true to let it go back.',
    );
  }
  const step = older ? 'goes back, on purpose,' : 'goes';
  return { action: 'set', image: mirrored, why: `it ${step} from ${current} to ${mirrored}, which the manager names.` };
}

/** What the manager says is shown on one line. */
const printable = (text: string | undefined): string | undefined => text?.slice(0, 500).replace(/\p{C}/gu, '?');

function refuse(why: string, remedy: string): Decision {
  return { action: 'refuse', why, remedy };
}

function repositoryText({ registry, path }: ImageReference): string {
  return registry === null ? path : `${registry}/${path}`;
}

function throughMirror(image: ImageReference, { registryMirror }: ImagePolicy): string {
  if (registryMirror === null) return formatImageReference(image);
  return `${registryMirror}/${formatImageReference({ ...image, registry: null })}`;
}
