import type { ClientCertificate, GeneratedFile, GenerateOptions } from '@sallyport/manifest';
import { type DelegateDownloadRequest, type DelegateSetupDetails, SallyportError } from '@sallyport/protocol';
import type { TokenScope, TokenService } from '../tokens/token-service.ts';
import { type DelegateImages, delegateImage } from './delegate-images.ts';

export interface DownloadCollaborators {
  readonly tokens: Pick<TokenService, 'activeValue'>;
  /** URL of the account's mTLS endpoint; null when it has none. */
  readonly endpointUrl: (accountId: string) => Promise<string | null>;
  readonly images: DelegateImages;
}

/** Where the request came from: what a delegate of an account without an mTLS endpoint connects to. */
export type PublicUrl = string;

type Form = 'kubernetes' | 'compose' | 'helm-values';

/**
 * The files that install a delegate: what `sallyport manifest generate` makes of the same options. They hold the
 * delegate's token.
 *
 * With an mTLS endpoint, in either mode, they are files of an mTLS delegate: a new one that connects without would keep a
 * LOOSE account from becoming STRICT. Its private key is the customer's, so the files name it: in a cluster the Secret
 * `<name>-client-certificate`, with docker `./client.crt` and `./client.key` beside the compose file.
 */
export class DownloadService {
  readonly #tokens: DownloadCollaborators['tokens'];
  readonly #endpointUrl: DownloadCollaborators['endpointUrl'];
  readonly #images: DelegateImages;

  constructor({ tokens, endpointUrl, images }: DownloadCollaborators) {
    this.#tokens = tokens;
    this.#endpointUrl = endpointUrl;
    this.#images = images;
  }

  async kubernetes(scope: TokenScope, request: DelegateDownloadRequest, publicUrl: PublicUrl): Promise<GeneratedFile> {
    const { clusterPermissionType, customClusterNamespace } = request;
    return this.#file('kubernetes', scope, request, publicUrl, {
      clusterPermission: given(clusterPermissionType),
      namespace: given(customClusterNamespace),
      upgrader: await this.#upgrader(scope),
    });
  }

  /** Without an upgrader: it would need the Docker socket, which is the host, and nobody asked for that here. */
  async docker(scope: TokenScope, request: DelegateDownloadRequest, publicUrl: PublicUrl): Promise<GeneratedFile> {
    return this.#file('compose', scope, request, publicUrl, {});
  }

  async helmValues(scope: TokenScope, request: DelegateSetupDetails, publicUrl: PublicUrl): Promise<GeneratedFile> {
    const { delegateType, k8sConfigDetails, runAsRoot } = request;
    if (delegateType !== 'KUBERNETES' && delegateType !== 'HELM_DELEGATE') {
      throw new SallyportError(
        'INVALID_REQUEST',
        `There are no Helm values for a delegate of type '${delegateType}'.`,
        {
          remedy: 'Send delegateType KUBERNETES or HELM_DELEGATE; for docker call /ng/api/download-delegates/docker.',
        },
      );
    }
    if (runAsRoot === false) {
      throw new SallyportError('INVALID_REQUEST', 'The chart’s values have no switch for runAsRoot false.', {
        remedy: 'Leave runAsRoot out, or make a Kubernetes manifest with "sallyport manifest generate --rootless".',
      });
    }
    return this.#file('helm-values', scope, request, publicUrl, {
      clusterPermission: given(k8sConfigDetails?.k8sPermissionType),
      namespace: given(k8sConfigDetails?.namespace),
      upgrader: await this.#upgrader(scope),
    });
  }

  async #upgrader({ accountId }: TokenScope): Promise<GenerateOptions['upgrader']> {
    const image = await this.#images.upgrader(accountId);
    return image === null ? undefined : { image };
  }

  async #file(
    form: Form,
    scope: TokenScope,
    request: DelegateDownloadRequest & { readonly version?: string | null },
    publicUrl: PublicUrl,
    options: Pick<GenerateOptions, 'clusterPermission' | 'namespace' | 'upgrader'>,
  ): Promise<GeneratedFile> {
    const { accountId } = scope;
    const { name, description, size, tags, tokenName, version } = request;
    const mtlsUrl = await this.#endpointUrl(accountId);
    const image = await delegateImage(this.#images, accountId, version);
    const token = await this.#tokens.activeValue(scope, tokenName || null);
    return mainFileOf({
      ...options,
      form,
      accountId,
      image,
      token,
      delegateName: name,
      description: given(description),
      size: given(size),
      tags: given(tags),
      endpoint: mtlsUrl ?? publicUrl,
      mtls: mtlsUrl === null ? undefined : certificateByReference(form, name),
    });
  }
}

function certificateByReference(form: Form, name: string): ClientCertificate {
  return form === 'compose'
    ? { from: 'files', certificate: './client.crt', key: './client.key' }
    : { from: 'secret', secretName: `${name}-client-certificate` };
}

/** Existing clients send null and empty text for what they leave out. */
function given<T>(value: T | null | undefined): T | undefined {
  return value === null || value === '' ? undefined : value;
}

async function mainFileOf(options: GenerateOptions): Promise<GeneratedFile> {
  // Loaded here: with its YAML it is a tenth of what a start would load, for files that are made once in a while.
  const { generate, ManifestError } = await import('@sallyport/manifest');
  try {
    const main = generate(options).files.at(-1);
    if (main === undefined) throw new Error('nothing was generated');
    return main;
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    throw new SallyportError('INVALID_REQUEST', error.message);
  }
}
