import { type ImageReference, parseDelegateVersion, parseImageReference, SallyportError } from '@sallyport/protocol';

/**
 * An image that may be given out: with a version as its tag, pinned by a digest or not. A mutable tag such as `latest`
 * would be another image tomorrow, and nobody could say whether it is older. Throws INVALID_REQUEST.
 */
export function readPublishedImage(text: string): ImageReference {
  const image = readImage(text);
  if (image.tag === null || parseDelegateVersion(image.tag) === null) {
    throw new SallyportError('INVALID_REQUEST', `'${text}' does not name a version: its tag is not yy.mm.xxxxx.`, {
      remedy: 'Name an immutable image, such as harness/delegate:25.09.86700; a digest may follow the tag.',
    });
  }
  return image;
}

/** Throws INVALID_REQUEST for a text that is no image reference; control characters in it are not repeated. */
export function readImage(text: string): ImageReference {
  const image = parseImageReference(text);
  if (image !== null) return image;
  throw new SallyportError('INVALID_REQUEST', `'${printable(text)}' is not an image reference.`, {
    remedy: 'Write it as REPOSITORY:TAG or REPOSITORY:TAG@sha256:DIGEST, without spaces.',
  });
}

const printable = (text: string) => text.slice(0, 120).replace(/\p{C}/gu, '?');
