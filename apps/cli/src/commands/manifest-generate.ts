import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import {
  type ClientCertificate,
  type DelegateSize,
  type Generated,
  type GenerateOptions,
  generate,
  type ManifestForm,
} from '@sallyport/manifest';
import { type Command, Option } from 'commander';
import { forceOption } from '../cert/certificate-options.ts';
import { readLocalText, writeLocalFiles } from '../cert/local-files.ts';
import type { GlobalOptions } from '../connection.ts';
import { usageError } from '../errors.ts';
import { example } from '../help.ts';
import { concernsOf, endpointBundle, prepareInspector } from '../manifest/certificate-inspector.ts';
import { type ConnectedAccount, connectedAccount } from '../manifest/connected-account.ts';
import {
  type CertificateFiles,
  certificateOption,
  formOption,
  hostFiles,
  hostFolderOption,
  keyOption,
  kubernetesName,
  organizationOption,
  type ProjectArguments,
  projectOption,
  readPairOf,
  secretOption,
} from '../manifest/manifest-options.ts';
import { proxyOf } from '../manifest/proxy-option.ts';
import { refusing } from '../manifest/refused.ts';
import { integerOption, oneOf, repeated, required } from '../options.ts';
import { outputOf, type Tools } from '../session.ts';

type ClusterPermission = NonNullable<GenerateOptions['clusterPermission']>;
type IssuerKind = 'Issuer' | 'ClusterIssuer';

const SIZES = {
  laptop: 'LAPTOP',
  small: 'SMALL',
  medium: 'MEDIUM',
  large: 'LARGE',
  'ccm-small': 'CCM_SMALL',
} as const satisfies Record<string, DelegateSize>;
const PERMISSIONS = {
  'cluster-admin': 'CLUSTER_ADMIN',
  'cluster-viewer': 'CLUSTER_VIEWER',
  'namespace-admin': 'NAMESPACE_ADMIN',
} as const satisfies Record<string, ClusterPermission>;
const ISSUERS = { issuer: 'Issuer', clusterissuer: 'ClusterIssuer' } as const satisfies Record<string, IssuerKind>;

interface Options extends CertificateFiles, ProjectArguments {
  readonly name: string;
  readonly form?: ManifestForm;
  readonly image: string;
  readonly endpoint?: string;
  readonly secret?: string;
  readonly hostFolder?: string;
  readonly issuer?: string;
  readonly issuerKind?: IssuerKind;
  readonly tokenFile?: string;
  readonly tokenSecret?: string;
  readonly namespace?: string;
  readonly createNamespace?: boolean;
  readonly size?: DelegateSize;
  readonly replicas?: number;
  readonly tag?: readonly string[];
  readonly description?: string;
  readonly clusterPermission?: ClusterPermission;
  readonly initScript?: string;
  readonly proxy?: string;
  readonly proxyPasswordFile?: string;
  readonly proxyBypass?: string;
  readonly extraCa?: string;
  readonly rootless?: boolean;
  readonly upgraderImage?: string;
  readonly upgraderSchedule?: string;
  readonly out?: string;
  readonly force?: boolean;
}

export function addGenerate(manifest: Command, tools: Tools): void {
  example(
    manifest.command('generate'),
    'sallyport manifest generate --name edge-1 --account acme --image registry.example.com/delegate:25.09.86700 --endpoint https://acme.agent.example.com --secret edge-1-mtls --token-secret edge-1-token',
  )
    .description('make the complete files for a new delegate of --account; with a certificate it uses mTLS')
    .addOption(required(new Option('--name <name>', "the delegate's name")))
    .addOption(formOption('kubernetes when not given'))
    .addOption(required(new Option('--image <image>', 'its image, with registry and tag; mTLS needs an immutable tag')))
    .option(
      '--endpoint <url>',
      "URL of the account's mTLS endpoint, or of a plain manager (the control plane's word when not given)",
    )
    .addOption(certificateOption())
    .addOption(keyOption())
    .addOption(secretOption())
    .addOption(hostFolderOption())
    .option(
      '--issuer <name>',
      'cert-manager issuer that makes and renews the certificate (kubernetes only)',
      kubernetesName,
    )
    .addOption(
      new Option('--issuer-kind <kind>', 'issuer when not given')
        .choices(Object.keys(ISSUERS))
        .argParser(oneOf(ISSUERS)),
    )
    .addOption(organizationOption())
    .addOption(projectOption())
    .option('--token-file <file>', 'file with the delegate token: it goes into the files')
    .option('--token-secret <name>', 'name of the Secret that holds it under DELEGATE_TOKEN', kubernetesName)
    .option('--namespace <namespace>', 'harness-delegate-ng when not given')
    .option('--no-create-namespace', 'leave the Namespace object out: it exists')
    .addOption(
      new Option('--size <size>', 'memory, CPU and replicas').choices(Object.keys(SIZES)).argParser(oneOf(SIZES)),
    )
    .addOption(integerOption('--replicas <number>', 'other than the size has', 1, 100))
    .option('--tag <tag>', 'tag of the delegate; repeat for several', repeated)
    .option('--description <text>', 'what it is for')
    .addOption(
      new Option('--cluster-permission <role>', 'what it may do in its cluster (namespace-admin when not given)')
        .choices(Object.keys(PERMISSIONS))
        .argParser(oneOf(PERMISSIONS)),
    )
    .option('--init-script <file>', 'shell script that runs before the delegate starts')
    .option('--proxy <url>', 'http://USER@HOST:PORT or https://USER@HOST:PORT, without a password')
    .option('--proxy-password-file <file>', "file whose first line is the proxy user's password")
    .option('--proxy-bypass <hosts>', 'NO_PROXY: hosts that it reaches without the proxy, with commas')
    .option('--extra-ca <file>', 'CA bundle that it trusts besides the system')
    .option('--rootless', 'run as a user of its own instead of root')
    .option('--upgrader-image <image>', 'add the upgrader, with this image')
    .option('--upgrader-schedule <cron>', 'once an hour when not given')
    .option('--out <folder>', 'write the files there (made when it is not there) instead of printing them')
    .addOption(forceOption())
    .action(async (options: Options, command: Command) => {
      const { generated, concerns } = await make(options, tools, command);
      const output = outputOf(tools, command);
      for (const { code, message, remedy } of concerns) output.warn(code, `${message} ${remedy}`);
      for (const note of generated.notes) output.note(`note: ${note}`);
      await deliver(generated, options, tools, command);
    });
}

async function make(options: Options, tools: Tools, command: Command) {
  const { ca, account: named = tools.environment.account } = command.optsWithGlobals<GlobalOptions>();
  const connected =
    options.endpoint === undefined ? await connectedAccount(tools, command, { needed: true }) : undefined;
  const account = named ?? connected?.account;
  if (account === undefined)
    throw usageError('No account is named.', 'Give --account ACCOUNT, or set SALLYPORT_ACCOUNT.');
  const bundle = await endpointBundle(ca, connected?.endpoint);
  const pair = await readPairOf(options);
  const given = pair && { certificate: pair.certificatePem, key: pair.keyPem };
  const inspector = await prepareInspector({ pairs: given ? [given] : [], bundle, now: new Date(tools.now()) });
  const { form = 'kubernetes', upgraderImage, upgraderSchedule } = options;
  if (upgraderSchedule !== undefined && upgraderImage === undefined)
    throw usageError('--upgrader-schedule needs --upgrader-image.', 'Name the image of the upgrader too.');
  const wanted: GenerateOptions = {
    form,
    delegateName: options.name,
    accountId: account,
    image: options.image,
    ...connectionOf(options, connected, certificateOf(options, form, pair)),
    organization: options.org,
    project: options.project,
    token: options.tokenFile === undefined ? undefined : (await readLocalText(options.tokenFile)).trim(),
    tokenSecretName: options.tokenSecret,
    namespace: options.namespace,
    createNamespace: options.createNamespace,
    size: options.size,
    replicas: options.replicas,
    tags: options.tag,
    description: options.description,
    clusterPermission: options.clusterPermission,
    initScript: options.initScript === undefined ? undefined : await readLocalText(options.initScript),
    proxy: await proxyOf(options),
    extraCaPem: options.extraCa === undefined ? undefined : await readLocalText(options.extraCa),
    rootless: options.rootless,
    upgrader: upgraderImage === undefined ? undefined : { image: upgraderImage, schedule: upgraderSchedule },
  };
  return {
    generated: refusing(undefined, () => generate(wanted, inspector)),
    concerns: concernsOf(inspector, given),
  };
}

/**
 * Without --endpoint the control plane's word. An account with an endpoint gets a delegate with mTLS, in LOOSE mode too, as
 * in the files of the download API; the certificate's Secret then has the name that it has there.
 */
function connectionOf(
  { endpoint, name, form }: Options,
  connected: ConnectedAccount | undefined,
  mtls: ClientCertificate | undefined,
): Pick<GenerateOptions, 'endpoint' | 'mtls'> {
  if (endpoint !== undefined) return { endpoint, mtls };
  if (connected === undefined)
    throw usageError(
      '--endpoint <url> is missing.',
      'Give the URL that "sallyport endpoint show" names, or run "sallyport login" to have the control plane asked.',
    );
  if (connected.endpoint !== null) {
    if (mtls === undefined && (form === 'docker-command' || form === 'compose'))
      throw usageError(
        `The account ${connected.account} has an mTLS endpoint, and no certificate is named.`,
        'Name its folder with --host-folder, or its files with --certificate and --key.',
      );
    return {
      endpoint: connected.endpoint.url,
      mtls: mtls ?? { from: 'secret', secretName: `${name}-client-certificate` },
    };
  }
  if (mtls === undefined) return { endpoint: connected.url, mtls };
  throw usageError(
    `The account ${connected.account} has no mTLS endpoint, so a certificate is of no use.`,
    'Create one with "sallyport endpoint create", or leave the certificate out.',
  );
}

/** Exactly one source of the certificate; none makes a plain delegate. */
function certificateOf(
  { secret, hostFolder, issuer, issuerKind, certificate, key }: Options,
  form: ManifestForm,
  pair: { readonly certificatePem: string; readonly keyPem: string } | undefined,
): ClientCertificate | undefined {
  const given = [pair, secret, hostFolder, issuer].filter((source) => source !== undefined);
  if (given.length > 1)
    throw usageError(
      'The certificate has more than one source.',
      'Give one: --certificate and --key, --secret, --host-folder or --issuer.',
    );
  if (issuerKind !== undefined && issuer === undefined)
    throw usageError('--issuer-kind needs --issuer.', 'Name the issuer too.');
  if (issuer !== undefined) return { from: 'cert-manager', issuer: { name: issuer, kind: issuerKind } };
  if (secret !== undefined) return { from: 'secret', secretName: secret };
  const onHost = hostFiles(hostFolder);
  if (onHost !== undefined) return { from: 'files', ...onHost };
  if (pair === undefined || certificate === undefined || key === undefined) return undefined;
  // Docker on this machine takes the very files that were named.
  return form === 'docker-command' || form === 'compose'
    ? { from: 'files', certificate: resolve(certificate), key: resolve(key) }
    : { from: 'pem', ...pair };
}

async function deliver({ files, notes }: Generated, { out, force = false }: Options, tools: Tools, command: Command) {
  const output = outputOf(tools, command);
  if (out === undefined) {
    const [only, another] = files;
    if (!output.json && another !== undefined)
      throw usageError(`These are ${files.length} files.`, 'Give --out FOLDER to have them written.');
    output.result({ files, notes }, () => only?.text ?? '');
    return;
  }
  const targets = files.map(({ path, text, confidential }) => ({ path: join(out, path), text, secret: confidential }));
  for (const folder of new Set([out, ...targets.map(({ path }) => dirname(path))])) {
    await mkdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      const reason = error.code ?? error.message;
      throw usageError(`The folder ${folder} cannot be made (${reason}).`, 'Choose another for --out.');
    });
  }
  await writeLocalFiles(targets, force);
  const written = targets.map(({ path, secret }) => ({ file: path, secret }));
  output.result({ files: written, notes }, () =>
    written.map(({ file, secret }) => `Wrote ${file}${secret ? ' (0600: keep it secret)' : ''}\n`).join(''),
  );
}
