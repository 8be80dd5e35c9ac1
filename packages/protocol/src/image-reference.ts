/** An image as `[registry/]path[:tag][@sha256:…]`, taken apart. Whatever holds one has been validated. */
export interface ImageReference {
  /** As it was written; null when the name has none, which means Docker Hub. */
  readonly registry: string | null;
  /** The name below the registry: `harness/delegate`. */
  readonly path: string;
  readonly tag: string | null;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string | null;
}

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const DOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*(?::\\d{1,5})?$`);
const PATH = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MOST_NAME_CHARACTERS = 255;
const DOCKER_HUB = 'docker.io';

/**
 * Reads an image reference by the grammar of the OCI distribution specification, with SHA-256 digests only. Null for
 * anything else: white space, control characters, upper case in the name, a second "@".
 */
export function parseImageReference(text: string): ImageReference | null {
  const [named = '', digest = null, ...more] = text.split('@');
  if (more.length > 0 || (digest !== null && !DIGEST.test(digest))) return null;
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const name = colon === -1 ? named : named.slice(0, colon);
  const tag = colon === -1 ? null : named.slice(colon + 1);
  if (name.length > MOST_NAME_CHARACTERS || (tag !== null && !TAG.test(tag))) return null;
  const { registry, path } = splitName(name);
  if (!PATH.test(path) || (registry !== null && !isRegistry(registry))) return null;
  return { registry, path, tag, digest };
}

function isRegistry(text: string): boolean {
  const [, port = '1'] = text.split(':');
  return DOMAIN.test(text) && Number(port) >= 1 && Number(port) <= 65_535;
}

/** A repository: an image reference without tag and digest. Null when it is none. */
export function parseRepository(text: string): Pick<ImageReference, 'registry' | 'path'> | null {
  const image = parseImageReference(text);
  return image === null || image.tag !== null || image.digest !== null ? null : image;
}

/** The reference as it is written. */
export function formatImageReference({ registry, path, tag, digest }: ImageReference): string {
  const name = registry === null ? path : `${registry}/${path}`;
  return `${name}${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@${digest}`}`;
}

/** One text for every way to write a repository: with its registry, and Docker Hub's `library/` where it is implied. */
export function repositoryOf({ registry, path }: Pick<ImageReference, 'registry' | 'path'>): string {
  const host = registry?.toLowerCase() ?? DOCKER_HUB;
  if (host !== DOCKER_HUB && host !== `index.${DOCKER_HUB}`) return `${host}/${path}`;
  return `${DOCKER_HUB}/${path.includes('/') ? path : `library/${path}`}`;
}

/**
 * True when who runs `current` runs what `wanted` names: the same repository and tag, and the digest when it names one. A
 * container that somebody pinned to a digest is not unpinned by the same tag without.
 */
export function isWhatIsWanted(current: ImageReference, wanted: ImageReference): boolean {
  if (repositoryOf(current) !== repositoryOf(wanted) || current.tag !== wanted.tag) return false;
  return wanted.digest === null || current.digest === wanted.digest;
}

/**
 * As `isWhatIsWanted`, also for who pulls `wanted` through a mirror: the mirror's name stands in place of the registry, with
 * or without a folder, or is left away by an upgrader that knows its mirror.
 */
export function isWhatIsWantedOrMirrored(current: ImageReference, wanted: ImageReference): boolean {
  if (isWhatIsWanted(current, wanted)) return true;
  const isBelow = current.registry !== null && current.path.endsWith(`/${wanted.path}`);
  if (current.path !== wanted.path && !isBelow) return false;
  return isWhatIsWanted({ ...current, registry: wanted.registry, path: wanted.path }, wanted);
}

/** The first part is a registry when it has a dot or a port, or is localhost; otherwise it belongs to the path. */
function splitName(name: string): { registry: string | null; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, slash);
  const hasRegistry = slash !== -1 && (/[.:]/.test(first) || first === 'localhost');
  return hasRegistry ? { registry: first, path: name.slice(slash + 1) } : { registry: null, path: name };
}
