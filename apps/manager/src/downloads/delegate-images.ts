import { type AccountUpgrades, formatImageReference, parseImageReference, SallyportError } from '@sallyport/protocol';
import { isBareTag, overriddenImage } from '../upgrades/wanted-image.ts';

/** Which images an account's new delegates get. Null: nobody has said. */
export interface DelegateImages {
  delegate(accountId: string): Promise<string | null>;
  upgrader(accountId: string): Promise<string | null>;
}

/**
 * What the account's delegates are kept at: its override, or what its ring publishes; a halted release is given to nobody new.
 * Otherwise the images of the configuration.
 */
export function accountImages(
  upgrades: { of(accountId: string): Promise<AccountUpgrades> },
  configured: { readonly delegate: string | null; readonly upgrader: string | null },
): DelegateImages {
  return {
    async delegate(accountId) {
      const { delegateImage, halted, override } = await upgrades.of(accountId);
      const published = halted === null ? (delegateImage ?? configured.delegate) : configured.delegate;
      if (override === null) return published;
      // A bare tag is one of the repository that delegates come from.
      const repository = parseImageReference(delegateImage ?? configured.delegate ?? '');
      if (repository === null) return isBareTag(override.version) ? null : override.version;
      const image = overriddenImage(override.version, repository);
      return image === null ? null : formatImageReference(image);
    },
    upgrader: async (accountId) => (await upgrades.of(accountId)).upgraderImage ?? configured.upgrader,
  };
}

/**
 * The delegate's image; with a version, that tag of the same repository. Throws FEATURE_UNAVAILABLE when
 * there is none, and INVALID_REQUEST for a version that is no tag.
 */
export async function delegateImage(
  images: DelegateImages,
  accountId: string,
  version: string | null | undefined,
): Promise<string> {
  const image = await images.delegate(accountId);
  if (image === null) {
    throw new SallyportError(
      'FEATURE_UNAVAILABLE',
      'The requested feature is not available: this control plane knows no image for delegates.',
      {
        remedy:
          'Ask the operator to publish one (sallyport upgrade publish) or to set SALLYPORT_DELEGATE_IMAGE, or use ' +
          '"sallyport manifest generate --image".',
      },
    );
  }
  const reference = parseImageReference(image);
  if (!version || reference === null) return image;
  const wanted = formatImageReference({ ...reference, tag: version, digest: null });
  if (parseImageReference(wanted) !== null && isBareTag(version)) return wanted;
  throw new SallyportError('INVALID_REQUEST', `${JSON.stringify(version)} is not the tag of an image.`, {
    remedy: 'Send a version such as 25.09.86700, or leave it out.',
  });
}
