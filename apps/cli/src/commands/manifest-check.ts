import { isAbsolute, relative, sep } from 'node:path';
import {
  type CheckContext,
  check,
  type Finding,
  fix,
  type ManifestForm,
  readManifest,
  toSarif,
} from '@sallyport/manifest';
import type { EndpointMode } from '@sallyport/protocol';
import { type Command, Option } from 'commander';
import program from '../../package.json' with { type: 'json' };
import { forceOption } from '../cert/certificate-options.ts';
import type { GlobalOptions } from '../connection.ts';
import { usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { example } from '../help.ts';
import { endpointBundle, pairsIn, prepareInspector } from '../manifest/certificate-inspector.ts';
import { connectedAccount, otherAccount } from '../manifest/connected-account.ts';
import { findingsText } from '../manifest/findings-text.ts';
import { readManifestFile, replaceKeepingBackup } from '../manifest/manifest-file.ts';
import { formOption } from '../manifest/manifest-options.ts';
import { refusing } from '../manifest/refused.ts';
import { diffOf, forTerminal } from '../manifest/shown-diff.ts';
import { oneOf } from '../options.ts';
import { outputOf, type Tools } from '../session.ts';

const MODES = { loose: 'LOOSE', strict: 'STRICT' } as const satisfies Record<string, EndpointMode>;

interface Options {
  readonly endpoint?: string;
  readonly mode?: EndpointMode;
  readonly form?: ManifestForm;
  readonly fix?: boolean;
  readonly write?: boolean;
  readonly force?: boolean;
  readonly sarif?: boolean;
}

interface Fixing {
  readonly diff: string;
  readonly fixed: readonly { readonly line: number; readonly what: string }[];
  readonly backup: string | null;
}

export function addCheck(manifest: Command, tools: Tools): void {
  example(manifest.command('check'), 'sallyport manifest check delegate.yaml --ca ca.crt --mode strict')
    .description('find the mistakes in a manifest, by line (exit code 1 when one of them is an error)')
    .argument('<file>', 'Kubernetes manifest, Helm values, helm or docker command, compose file, or upgrader config')
    .option('--endpoint <url>', "URL of the account's mTLS endpoint: every address is measured against it")
    .addOption(
      new Option('--mode <mode>', "the account's: a plain delegate is an error in strict")
        .choices(Object.keys(MODES))
        .argParser(oneOf(MODES)),
    )
    .addOption(formOption('what the file is (found out when not given)'))
    .option('--fix', 'mend what the file itself tells how to mend: print the diff, or change the file with --write')
    .option('--write', 'with --fix: change the file, and keep what it was as FILE.sallyport-backup')
    .addOption(forceOption())
    .addOption(new Option('--sarif', 'print the findings as SARIF 2.1.0, for code scanning').conflicts('fix'))
    .action(async (name: string, options: Options, command: Command) => {
      if (options.write && !options.fix) throw usageError('--write needs --fix.', 'Give --fix --write, or neither.');
      const { endpoint, mode, form } = options;
      const file = await readManifestFile(name);
      const pairs = refusing(name, () => pairsIn(file.text, form));
      const asked = await connectedAccount(tools, command, { needed: false });
      const other = otherAccount(
        refusing(name, () => readManifest(file.text, { form }).delegates),
        asked,
      );
      if (other !== null) {
        const why = `The file is of account ${other}, and the control plane was asked about ${asked?.account}`;
        outputOf(tools, command).warn('OTHER_ACCOUNT', `${why}: its answer is left out. Give --account ${other}.`);
      }
      const connected = other === null ? asked : undefined;
      const { ca } = command.optsWithGlobals<GlobalOptions>();
      const bundle = await endpointBundle(ca, connected?.endpoint);
      const inspector = await prepareInspector({ pairs, bundle, now: new Date(tools.now()) });
      const context: CheckContext = {
        endpoint: endpoint ?? connected?.endpoint?.url,
        mode: mode ?? connected?.endpoint?.mode,
        form,
        inspector,
      };
      if (!options.fix) {
        const found = refusing(name, () => check(file.text, context));
        report(name, found, undefined, options, tools, command);
        return;
      }
      const { text, fixed, remaining } = refusing(name, () => fix(file.text, context));
      const backup =
        options.write && text !== file.text
          ? await replaceKeepingBackup(file, text, { force: options.force === true, confidential: false })
          : null;
      const fixing = { diff: diffOf(name, file.text, text), fixed, backup };
      report(name, remaining, fixing, options, tools, command);
    });
}

function report(
  name: string,
  found: readonly Finding[],
  fixing: Fixing | undefined,
  { sarif, write }: Options,
  tools: Tools,
  command: Command,
): void {
  if (found.some(({ severity }) => severity === 'error')) tools.setExit(EXIT.failure);
  if (sarif) {
    tools.terminal.stdout.write(`${JSON.stringify(toSarif(found, uriOf(name), program.version), null, 2)}\n`);
    return;
  }
  const output = outputOf(tools, command);
  if (fixing === undefined) {
    output.result(found, () => findingsText(output, found));
    return;
  }
  const { diff, fixed, backup } = fixing;
  for (const { line, what } of fixed) output.note(`mended, line ${line}: ${what}`);
  if (!write && diff !== '') output.note('Nothing was written: --write changes the file.');
  output.result({ file: name, written: backup !== null, backup, diff, fixed, remaining: found }, () => {
    if (!write && diff !== '') return forTerminal(tools, diff);
    const done = backup === null ? 'Nothing to mend.' : `Mended ${name}; what it was is in ${backup}`;
    return `${done}\n${findingsText(output, found)}`;
  });
  // The diff alone goes to standard output, for `patch`; what no fix mends is said beside it.
  if (!write && diff !== '' && found.length > 0) output.note(`What is left:\n${findingsText(output, found)}`.trimEnd());
}

/** SARIF names files as the repository does: relative to where the command runs, with forward slashes. */
function uriOf(name: string): string {
  const path = isAbsolute(name) ? relative(process.cwd(), name) : name;
  return path.split(sep).join('/').replace(/^\.\//, '');
}
