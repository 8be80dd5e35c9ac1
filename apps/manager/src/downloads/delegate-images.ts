import { SallyportError } from '@sallyport/protocol';

/** Which images an account's delegates run. Null: nobody has said. */
export interface DelegateImages {
  delegate(accountId: string): Promise<string | null>;
  upgrader(accountId: string): Promise<string | null>;
}

/** The same for every account, as the configuration names them. */
export function configuredImages(images: { readonly delegate: string | null; readonly upgrader: string | null }) {
  return {
    delegate: async () => images.delegate,
    upgrader: async () => images.upgrader,
  } satisfies DelegateImages;
}

/** The delegate's image; with a version, that tag of the same repository. Throws FEATURE_UNAVAILABLE when there is none. */
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
      { remedy: 'Ask the operator to set SALLYPORT_DELEGATE_IMAGE, or use "sallyport manifest generate --image".' },
    );
  }
  if (!version) return image;
  const [name = ''] = image.split('@');
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  return `${colon === -1 ? name : name.slice(0, colon)}:${version}`;
}
