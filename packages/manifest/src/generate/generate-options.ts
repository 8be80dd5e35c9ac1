import { type Endpoint, parseEndpoint } from '../endpoint.ts';
import type { ManifestForm } from '../form.ts';
import { imageFault } from '../image-tag.ts';
import { ManifestError } from '../manifest-error.ts';
import { isObjectName } from '../object-name.ts';
import { decodeBase64, encodeBase64 } from '../pem.ts';
import { type ProjectScope, refuseProjectScope } from '../project-scope.ts';
import type { DelegateSize } from './sizes.ts';

/** Where the delegate's client certificate comes from. */
export type ClientCertificate =
  /** From these PEM texts, into a Secret of the generated set. */
  | { readonly from: 'pem'; readonly certificatePem: string; readonly keyPem: string }
  /** From a Secret that exists in the cluster. */
  | { readonly from: 'secret'; readonly secretName: string }
  /** From two files on the docker host. */
  | { readonly from: 'files'; readonly certificate: string; readonly key: string }
  /** From cert-manager, which asks the customer's own issuer and renews it. Kubernetes only. */
  | {
      readonly from: 'cert-manager';
      readonly issuer: {
        readonly name: string;
        readonly kind?: 'Issuer' | 'ClusterIssuer' | undefined;
        readonly group?: string | undefined;
      };
      /** Default: the delegate's name. */
      readonly commonName?: string | undefined;
      /** Go durations; default 2160h (90 days), renewed 720h before the end. */
      readonly duration?: string | undefined;
      readonly renewBefore?: string | undefined;
    };

export interface ProxyOptions {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly noProxy?: string | undefined;
}

export interface UpgraderOptions {
  /** The upgrader's image; there is no default. */
  readonly image: string;
  /** Default: the delegate's token. */
  readonly token?: string | undefined;
  /** Cron schedule; default: once an hour. */
  readonly schedule?: string | undefined;
  readonly registryMirror?: string | undefined;
}

export interface GenerateOptions extends ProjectScope {
  readonly form: ManifestForm;
  readonly delegateName: string;
  readonly accountId: string;
  /** The delegate's image; there is no default. With mTLS it must be an immutable one. */
  readonly image: string;
  /** The URL the delegate connects to: with `mtls` the account's mTLS endpoint, otherwise the manager. */
  readonly endpoint: string;
  readonly mtls?: ClientCertificate | undefined;
  /** The delegate token as the product shows it (base64), or its 32 hex digits; or the Secret that holds it under DELEGATE_TOKEN. */
  readonly token?: string | undefined;
  readonly tokenSecretName?: string | undefined;
  /** Default: harness-delegate-ng. */
  readonly namespace?: string | undefined;
  readonly createNamespace?: boolean | undefined;
  readonly size?: DelegateSize | undefined;
  readonly replicas?: number | undefined;
  readonly description?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly initScript?: string | undefined;
  /** What the delegate may do in its cluster; default: everything in its own namespace. */
  readonly clusterPermission?: 'CLUSTER_ADMIN' | 'CLUSTER_VIEWER' | 'NAMESPACE_ADMIN' | undefined;
  readonly proxy?: ProxyOptions | undefined;
  /** A CA bundle (PEM) that the delegate trusts besides the system's. */
  readonly extraCaPem?: string | undefined;
  /** Runs as user 1001 instead of root, with a matching fsGroup. */
  readonly rootless?: boolean | undefined;
  readonly upgrader?: UpgraderOptions | undefined;
}

/** The options, checked and with their defaults. */
export interface Plan extends GenerateOptions {
  readonly namespace: string;
  readonly connection: Endpoint;
  readonly tokens: { readonly hexBase64: string | undefined; readonly upgraderHexBase64: string | undefined };
}

/** @throws ManifestError OPTION_INVALID, PROJECT_CERTIFICATE, ENDPOINT_INVALID or IMAGE_NOT_IMMUTABLE. */
export function plan(options: GenerateOptions): Plan {
  refuseProjectScope(options);
  const { delegateName, image, mtls, upgrader } = options;
  const longest = upgrader ? 39 : 63; // a CronJob's name has at most 52 characters, and "-upgrader-job" takes 13
  if (!/^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/.test(delegateName) || delegateName.length > longest) {
    throw invalid(
      `"${delegateName}" is no delegate name: lower-case letters, digits and "-", at most ${longest} characters.`,
    );
  }
  // It stands in a comment: a line end in it would begin a line of YAML, or of a shell script.
  if (!/^[\w.$-]{1,128}$/.test(options.accountId))
    throw invalid(
      `${JSON.stringify(options.accountId)} is no account id: letters, digits, "-", "_", "." and "$" only.`,
    );
  for (const [whose, name] of [['delegate', image] as const, ['upgrader', upgrader?.image] as const]) {
    // It stands unquoted in a shell command.
    if (name !== undefined && !/^[\w][\w.:/@-]*$/.test(name))
      throw invalid(`${JSON.stringify(name)} is no image of the ${whose}: give its registry, name and tag.`);
  }
  const fault = mtls ? imageFault(image) : undefined;
  if (fault) throw new ManifestError('IMAGE_NOT_IMMUTABLE', fault);
  const { namespace = 'harness-delegate-ng' } = options;
  if (!/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace))
    throw invalid(`"${namespace}" is no name for a namespace.`);
  if (options.replicas !== undefined && !(Number.isInteger(options.replicas) && options.replicas > 0)) {
    throw invalid(`${options.replicas} is no number of replicas.`);
  }
  refuseNames(options);
  refuseWrongSource(options);
  const token = options.token === undefined ? undefined : tokenValue(options.token);
  return {
    ...options,
    namespace,
    connection: mtls ? parseEndpoint(options.endpoint) : plainManager(options.endpoint),
    tokens: { hexBase64: token, upgraderHexBase64: upgrader?.token === undefined ? token : tokenValue(upgrader.token) },
  };
}

/** Kubernetes refuses other names, and they stand in comments and in shell commands. */
function refuseNames({ mtls, tokenSecretName, tags = [] }: GenerateOptions): void {
  const names = [
    ['a Secret (of the client certificate)', mtls?.from === 'secret' ? mtls.secretName : undefined],
    ['a Secret (of the delegate token)', tokenSecretName],
    ['an issuer', mtls?.from === 'cert-manager' ? mtls.issuer.name : undefined],
  ];
  for (const [what, name] of names) {
    if (name !== undefined && !isObjectName(name))
      throw invalid(`"${name}" is no name for ${what}: lower-case letters, digits, "-" and "." only.`);
  }
  const tag = tags.find((text) => text.trim() === '' || /[,\p{Cc}]/u.test(text));
  if (tag !== undefined)
    throw invalid(`${JSON.stringify(tag)} is no tag: it is empty, or holds a comma or a line end.`);
}

function refuseWrongSource({ form, mtls, token, tokenSecretName }: GenerateOptions): void {
  const docker = form === 'docker-command' || form === 'compose';
  const kubernetes = form === 'kubernetes';
  if (docker && mtls && mtls.from !== 'files')
    throw invalid('Docker takes certificate and key from files: give their paths on the docker host.');
  if (!docker && mtls?.from === 'files')
    throw invalid(
      'A cluster cannot mount files of your machine: give the certificate’s PEM or the name of its Secret.',
    );
  if (!kubernetes && mtls?.from === 'cert-manager') {
    throw invalid(
      'cert-manager writes tls.crt and tls.key, and only a Kubernetes manifest can rename them to client.crt and client.key.',
    );
  }
  if (docker && tokenSecretName !== undefined)
    throw invalid('Docker has no Secrets: give the token itself, or leave it out to take it from the environment.');
  if (form !== 'upgrader-config' && !docker && token === undefined && tokenSecretName === undefined) {
    throw invalid('Give the delegate token, or the name of the Secret that holds it.');
  }
}

/** A manager without mTLS may be any http or https URL. */
function plainManager(text: string): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new ManifestError(
      'ENDPOINT_INVALID',
      `"${text}" is not the URL of a manager; write https:// and its host name.`,
    );
  const base = text.replace(/\/+$/, '');
  return { url: base, host: url.hostname, logServiceUrl: `${base}/log-service/`, tiServiceUrl: `${base}/ti-service/` };
}

/** The token as the product shows it: base64 of 32 hex digits. */
function tokenValue(token: string): string {
  const text = token.trim();
  if (/^[0-9a-f]{32}$/i.test(text)) return encodeBase64(text);
  const inner = decodeBase64(text);
  if (inner !== undefined && /^[0-9a-f]{32}$/i.test(inner)) return text;
  throw invalid('The delegate token is neither 32 hex digits nor their base64; copy it as the product shows it.');
}

export function invalid(message: string): ManifestError {
  return new ManifestError('OPTION_INVALID', message);
}
