import type { Place, Problem } from './finding.ts';

/** The tags of immutable delegate images: `25.09.86700`, and the same with `.minimal`. Only those can present a certificate. */
const immutableTag = /^\d{2}\.\d{2}\.\d+(?:\.minimal)?$/;

export interface ImageName {
  readonly repository: string;
  readonly tag: string | undefined;
}

export function parseImage(image: string): ImageName {
  const [name = ''] = image.split('@');
  const slash = name.lastIndexOf('/');
  const colon = name.indexOf(':', slash + 1);
  return colon === -1
    ? { repository: name, tag: undefined }
    : { repository: name.slice(0, colon), tag: name.slice(colon + 1) };
}

/** What keeps an image from being migrated, as a sentence; undefined for an immutable image. */
export function imageFault(image: string): string | undefined {
  const { tag } = parseImage(image);
  if (tag !== undefined && immutableTag.test(tag)) return undefined;
  const found = tag === undefined ? 'has no tag' : `has the tag "${tag}"`;
  return `mTLS needs an immutable image: "${image}" ${found}; set a tag of the form yy.mm.xxxxx or yy.mm.xxxxx.minimal first.`;
}

/** That an image which a variable or a file names could not be looked at. */
export function unknownImage(image: string, at: Place, origin = `"${image}", which a variable fills in`): Problem {
  return {
    code: 'EXTERNAL_VALUE',
    at,
    message: `The image is ${origin}: whether its tag is immutable is not known, and mTLS needs that.`,
    remedy: 'See to it that the tag has the form yy.mm.xxxxx or yy.mm.xxxxx.minimal.',
  };
}

/** The last part of the repository: `delegate` for `registry:5000/mirror/delegate:25.09.86700`. */
export function imageBaseName(image: string): string {
  return parseImage(image).repository.split('/').at(-1) ?? '';
}
