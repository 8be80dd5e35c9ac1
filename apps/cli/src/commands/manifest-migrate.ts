import { access } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type CompanionFile, type ManifestForm, type Migration, migrate, readManifest } from '@sallyport/manifest';
import { type Command, Option } from 'commander';
import { readLocalText, writeLocalFiles } from '../cert/local-files.ts';
import type { GlobalOptions } from '../connection.ts';
import { usageError } from '../errors.ts';
import { example } from '../help.ts';
import { concernsOf, endpointBundle, pairsIn, prepareInspector } from '../manifest/certificate-inspector.ts';
import { type ConnectedAccount, connectedAccount, otherAccount } from '../manifest/connected-account.ts';
import { type ManifestFile, readManifestFile, replaceKeepingBackup } from '../manifest/manifest-file.ts';
import {
  type CertificateFiles,
  certificateOption,
  formOption,
  hostFiles,
  hostFolderOption,
  keyOption,
  organizationOption,
  type ProjectArguments,
  projectOption,
  readPairOf,
  secretOption,
} from '../manifest/manifest-options.ts';
import { refusing } from '../manifest/refused.ts';
import { rollBack } from '../manifest/rollback.ts';
import { diffOf, forTerminal } from '../manifest/shown-diff.ts';
import type { Output } from '../output/output.ts';
import { outputOf, type Tools } from '../session.ts';

interface Options extends CertificateFiles, ProjectArguments {
  readonly endpoint?: string;
  readonly secret?: string;
  readonly hostFolder?: string;
  readonly delegate?: string;
  readonly ci?: boolean;
  readonly form?: ManifestForm;
  readonly write?: boolean;
  readonly rollback?: boolean;
  readonly force?: boolean;
}

export function addMigrate(manifest: Command, tools: Tools): void {
  example(
    manifest.command('migrate'),
    'sallyport manifest migrate delegate.yaml --endpoint https://acme.agent.example.com --certificate client.crt --key client.key',
  )
    .description('move a delegate to an mTLS endpoint: print the diff, or change the file with --write')
    .argument('<file>', 'Kubernetes manifest, Helm values, helm or docker command, compose file, or upgrader config')
    .option(
      '--endpoint <url>',
      "URL of the account's mTLS endpoint, with its port unless 443 (the control plane's word when not given)",
    )
    .addOption(certificateOption())
    .addOption(keyOption())
    .addOption(secretOption())
    .addOption(hostFolderOption())
    .addOption(organizationOption())
    .addOption(projectOption())
    .option('--delegate <name>', 'which one, in a file with several')
    .option('--ci', 'the delegate runs CI builds: set TI_SERVICE_URL too')
    .addOption(formOption('what the file is (found out when not given)'))
    .addOption(new Option('--diff', 'print the diff and change nothing, as without --write').conflicts('write'))
    .option('--write', 'change the file, and keep what it was as FILE.sallyport-backup')
    .addOption(
      new Option(
        '--rollback',
        'put FILE.sallyport-backup back, byte for byte, unless the file was edited since',
      ).conflicts('write'),
    )
    .addOption(new Option('--force', 'replace files that exist; with --rollback, lose what was edited since'))
    .action(async (name: string, options: Options, command: Command) => {
      if (options.rollback) {
        await undo(name, options.force === true, outputOf(tools, command));
        return;
      }
      const file = await readManifestFile(name);
      const migration = await migrated(name, file, options, tools, command);
      const keep = options.write ? await write(file, migration, options) : undefined;
      report(name, file, migration, keep, tools, command);
    });
}

async function undo(name: string, force: boolean, output: Output): Promise<void> {
  const { path, removed, left } = await rollBack(name, { force });
  for (const made of left) output.note(`${made} was changed since the migration made it, and stays.`);
  output.result({ file: path, rolledBack: true, removed }, () =>
    [`Rolled back ${path}\n`, ...removed.map((made) => `Removed ${made}\n`)].join(''),
  );
}

async function migrated(name: string, file: ManifestFile, options: Options, tools: Tools, command: Command) {
  const { secret: secretName, delegate, form, ci: continuousIntegration } = options;
  const connected = await connectedAccount(tools, command, { needed: options.endpoint === undefined });
  const meant = refusing(name, () => readManifest(file.text, { form }).delegates).filter(
    (described) => delegate === undefined || described.name === delegate,
  );
  const other = otherAccount(meant, connected);
  if (other !== null && options.endpoint === undefined) {
    throw usageError(
      `The delegate belongs to account ${other}, and the control plane was asked about ${connected?.account}.`,
      `Give --account ${other}, a profile of it, or --endpoint.`,
    );
  }
  const endpoint = options.endpoint ?? endpointOf(connected);
  const certificate = await readPairOf(options);
  const given = certificate && { certificate: certificate.certificatePem, key: certificate.keyPem };
  const pairs = [...(given ? [given] : []), ...refusing(name, () => pairsIn(file.text, form))];
  const { ca } = command.optsWithGlobals<GlobalOptions>();
  // Another endpoint has another bundle: what the control plane says holds for its own only.
  const bundle = await endpointBundle(ca, endpoint === connected?.endpoint?.url ? connected.endpoint : undefined);
  const inspector = await prepareInspector({ pairs, bundle, now: new Date(tools.now()) });
  const migration = refusing(name, () =>
    migrate(file.text, {
      endpoint,
      certificate,
      secretName,
      certificateFiles: hostFiles(options.hostFolder) ?? filesHere(options),
      delegate,
      continuousIntegration,
      organization: options.org,
      project: options.project,
      form,
      inspector,
    }),
  );
  const output = outputOf(tools, command);
  // That it was not checked at all stands in the migration's own warnings.
  for (const { code, message, remedy } of concernsOf(inspector, given))
    if (code !== 'CERTIFICATE_UNCHECKED') output.warn(code, `${message} ${remedy}`);
  return migration;
}

function endpointOf(connected: ConnectedAccount | undefined): string {
  if (connected === undefined)
    throw usageError('--endpoint <url> is missing.', 'Give the URL that "sallyport endpoint show" names.');
  if (connected.endpoint !== null) return connected.endpoint.url;
  throw usageError(
    `The account ${connected.account} has no mTLS endpoint.`,
    'Create one with "sallyport endpoint create", or give --endpoint.',
  );
}

/** Docker on this machine takes the very files that were named. */
const filesHere = ({ certificate, key }: CertificateFiles) =>
  certificate === undefined || key === undefined ? undefined : { certificate: resolve(certificate), key: resolve(key) };

/** Companions first: a manifest must not name a Secret whose file could not be written. */
async function write(file: ManifestFile, { text, companions }: Migration, { force = false, certificate }: Options) {
  const files = await missing(companions, file);
  await writeLocalFiles(files, force);
  const companionPaths = files.map(({ path }) => path);
  if (text === file.text) return { backup: null, companions: companionPaths };
  const confidential = certificate !== undefined;
  // One that was there before is not the migration's, and a rollback leaves it.
  const made = files
    .filter(({ isNew }) => isNew)
    .map(({ path, text: content }) => ({ name: basename(path), text: content }));
  const backup = await replaceKeepingBackup(file, text, { force, confidential, made });
  return { backup, companions: companionPaths };
}

/** Those that are not there yet just as they should be: a second migration writes nothing. */
async function missing(companions: readonly CompanionFile[], file: ManifestFile) {
  const found = [];
  for (const { path: name, text } of companions) {
    // The name comes out of the manifest: it must not choose another folder for a private key.
    if (basename(name) !== name) throw new Error(`the companion ${name} is not a file name`);
    const path = join(dirname(file.path), name);
    const there = await access(path).then(
      () => readLocalText(path),
      () => undefined,
    );
    if (there !== text) found.push({ path, text, secret: true, isNew: there === undefined });
  }
  return found;
}

function report(
  name: string,
  file: ManifestFile,
  { form, text, changes, repaired, warnings, companions }: Migration,
  kept: { readonly backup: string | null; readonly companions: readonly string[] } | undefined,
  tools: Tools,
  command: Command,
): void {
  const output = outputOf(tools, command);
  const changed = text !== file.text;
  const diff = diffOf(name, file.text, text);
  for (const { line, what, why } of repaired) output.note(`repaired, line ${line}: ${what} (${why})`);
  for (const { code, line, message, remedy } of warnings) output.warn(code, `line ${line}: ${message} ${remedy}`);
  if (kept === undefined) {
    for (const { path, why } of companions) output.note(`--write also writes ${path}: ${why}`);
    if (changed) output.note('Nothing was written: --write changes the file.');
  }
  const written = kept !== undefined && (changed || kept.companions.length > 0);
  const result = {
    file: name,
    form,
    changed,
    written,
    backup: kept?.backup ?? null,
    diff,
    changes,
    repaired,
    warnings,
    companions: companions.map(({ path, why }) => ({ path, why })),
  };
  output.result(result, () => {
    if (kept === undefined && changed) return forTerminal(tools, diff);
    if (kept === undefined || !written) return `Nothing to do: ${name} is migrated.\n`;
    const lines = [
      ...kept.companions.map((path) => `Wrote ${path} (0600: keep it secret)`),
      ...(kept.backup === null ? [] : [`Migrated ${name}; what it was is in ${kept.backup}`]),
    ];
    return `${lines.join('\n')}\n`;
  });
}
