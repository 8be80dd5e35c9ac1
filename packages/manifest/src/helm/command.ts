import { uncheckedCertificate } from '../credentials.ts';
import { EditableText } from '../edit/editable-text.ts';
import { inOrder, type Rule, settle } from '../edit/settle.ts';
import { insertAfter, type ShellCommand, type ShellWord, setInWord, shellCommands } from '../edit/shell-words.ts';
import { wholeFile } from '../edit/text-part.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Place, Problem } from '../finding.ts';
import { imageFault, unknownImage } from '../image-tag.ts';
import { ManifestError, type ManifestErrorCode } from '../manifest-error.ts';
import type { MigrateOptions, Migration } from '../migration.ts';
import { report, warningsFrom } from '../migration-report.ts';
import {
  assignmentsIn,
  effective,
  type HelmAssignment,
  isSettingFlag,
  outside,
  overMap,
  writtenValue,
} from './assignments.ts';
import { certificateCompanion, secretNameFor, secretStep } from './chart-secret.ts';

export interface HelmCommand {
  readonly command: ShellCommand;
  readonly release: ShellWord;
  readonly assignments: readonly HelmAssignment[];
  readonly valueFiles: readonly string[];
  readonly namespace: string | undefined;
}

export interface HelmCommandScene {
  readonly text: string;
  readonly helm: HelmCommand;
  readonly endpoint: Endpoint | undefined;
  readonly secretName: string | undefined;
}

export const helmCommandRules: readonly Rule<HelmCommandScene>[] = [mapsReplaced, managerEndpoint, secretName];

/** Migrates the `helm upgrade` or `helm install` command of a delegate: both values become `--set` options. */
export function migrateHelmCommand(text: string, endpoint: Endpoint, options: MigrateOptions): Migration {
  const source = new EditableText(text);
  const chosen = chooseCommand(text, options.delegate);
  const index = helmCommands(text).findIndex((helm) => helm.release.start === chosen.release.start);
  const image = assignment(chosen, 'delegateDockerImage');
  const fault = image && !outside(image) ? imageFault(image.value) : undefined;
  if (image && fault) throw refuse(source, 'IMAGE_NOT_IMMUTABLE', fault, image.word);
  const over = overMap(chosen.assignments, 'mTLS.secretName');
  if (over) throw refuse(source, 'SHAPE_UNSUPPORTED', overMapMessage(over), over.word);

  const name = nameOf(chosen);
  const secret = assignment(chosen, 'mTLS.secretName');
  const present = secret?.flag === '--set-file' ? undefined : secret?.value;
  const wanted = secretNameFor(name, present, options, (code, message) =>
    refuse(source, code, message, chosen.release),
  );
  const read = (): HelmCommandScene => ({
    text: source.text,
    helm: helmCommands(source.text)[index] ?? chosen,
    endpoint,
    secretName: wanted,
  });
  const applied = settle({ source, parts: [] }, read, inOrder(helmCommandRules));
  const left = [...helmCommandRules.flatMap((rule) => [...rule(read())]), ...valueFileAdvice(read().helm)];
  const place = placeOf(read().helm.release);
  if (image && outside(image)) left.push(unknownImage(image.value, place, `from ${outside(image)}`));
  return {
    form: 'helm-command',
    text: source.text,
    ...report(applied),
    warnings: warningsFrom(
      [...left, secretStep(wanted, place), ...uncheckedCertificate(options.certificate, options.inspector, place)],
      source,
    ),
    companions: certificateCompanion(wanted, chosen.namespace, options),
  };
}

/** The helm commands of a text that install a delegate. */
export function helmCommands(text: string): HelmCommand[] {
  return shellCommands(text).flatMap((command) => parseHelm(command) ?? []);
}

const flagsWithoutValue = new Set([
  '-i',
  '--install',
  '--create-namespace',
  '--atomic',
  '--wait',
  '--wait-for-jobs',
  '--dry-run',
  '--debug',
  '--force',
  '--devel',
  '--reuse-values',
  '--reset-values',
  '--reset-then-reuse-values',
  '--cleanup-on-fail',
  '--no-hooks',
  '--skip-crds',
  '--dependency-update',
  '--verify',
  '--generate-name',
  '-g',
  '--replace',
  '--render-subchart-notes',
  '--insecure-skip-tls-verify',
  '--pass-credentials',
  '--enable-dns',
  '--hide-notes',
  '--take-ownership',
]);

function parseHelm(command: ShellCommand): HelmCommand | undefined {
  const start = command.words.findIndex((word) => /(?:^|\/)helm3?(?:\.exe)?$/.test(word.value));
  const verb = command.words[start + 1]?.value;
  if (start === -1 || (verb !== 'upgrade' && verb !== 'install')) return undefined;
  const words = command.words.slice(start + 2);
  const positional: ShellWord[] = [];
  const assignments: HelmAssignment[] = [];
  const valueFiles: string[] = [];
  let namespace: string | undefined;
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    if (!word) break;
    if (!word.value.startsWith('-')) {
      positional.push(word);
      continue;
    }
    const equals = word.value.startsWith('--') ? word.value.indexOf('=') : -1;
    const flag = equals === -1 ? word.value : word.value.slice(0, equals);
    if (equals === -1 && flagsWithoutValue.has(flag)) continue;
    const holder = equals === -1 ? words[++index] : word;
    const from = equals === -1 ? 0 : equals + 1;
    if (!holder) break;
    if (isSettingFlag(flag)) assignments.push(...assignmentsIn(flag, holder, from));
    if (flag === '-f' || flag === '--values') valueFiles.push(holder.value.slice(from));
    if (flag === '-n' || flag === '--namespace') namespace = holder.value.slice(from);
  }
  const [release, chart] = positional;
  if (!release) return undefined;
  const isDelegate =
    [release, chart].some((word) => word?.value.includes('delegate')) ||
    assignments.some(({ key }) => /^delegate|^mTLS\.|^managerEndpoint$/.test(key));
  return isDelegate ? { command, release, assignments, valueFiles, namespace } : undefined;
}

/** The option whose value Helm uses for a key. */
export function assignment({ assignments }: HelmCommand, key: string): HelmAssignment | undefined {
  return effective(assignments, key);
}

/** What Helm uses for a key, as far as the command line holds it. */
export function knownValue(helm: HelmCommand, key: string): string | undefined {
  const found = assignment(helm, key);
  return found && !outside(found) ? found.value : undefined;
}

function* managerEndpoint({ text, helm, endpoint }: HelmCommandScene): Iterable<Problem> {
  if (!endpoint) return;
  yield* set(text, helm, 'managerEndpoint', endpoint.url, {
    code: 'MANAGER_OLD',
    message: 'The delegate, its logs and its upgrader connect under managerEndpoint.',
  });
}

function* secretName({ text, helm, secretName: wanted }: HelmCommandScene): Iterable<Problem> {
  if (wanted === undefined) return;
  yield* set(text, helm, 'mTLS.secretName', wanted, {
    code: 'HELM_SECRET_MISSING',
    message:
      'With mTLS.secretName the chart mounts the client certificate and tells delegate and upgrader where it is.',
  });
}

function* set(
  text: string,
  helm: HelmCommand,
  key: string,
  value: string,
  base: Pick<Problem, 'code' | 'message'>,
): Iterable<Problem> {
  const present = assignment(helm, key);
  const remedy = `Set ${key} to ${value}.`;
  const origin = present && outside(present);
  if (present && origin) {
    yield {
      code: 'EXTERNAL_VALUE',
      at: placeOf(present.word),
      message: `${key} comes from ${origin}.`,
      remedy: `Give that ${present.word.expands ? 'variable' : 'file'} the value ${value}.`,
    };
    return;
  }
  if (present?.value === value) return;
  const last = helm.assignments.at(-1)?.word ?? helm.command.words.at(-1) ?? helm.release;
  yield {
    ...base,
    at: placeOf(present?.word ?? helm.release),
    remedy,
    repair: () => ({
      what: present ? `set ${key} to ${value}` : `added --set ${key}=${value}`,
      edits: [
        present
          ? setInWord(present.word, present.from, present.to, inPlace(present, value))
          : insertAfter(text, helm.command, last, [`--set ${key}=${value}`]),
      ],
    }),
  };
}

function inPlace({ flag, word, from }: HelmAssignment, value: string): string {
  return writtenValue(flag, value, word.value[from - 1] === '"');
}

/** `--set mTLS=null` and its like: Helm takes the whole map for that, and no mTLS.secretName beside it. */
function* mapsReplaced({ helm }: HelmCommandScene): Iterable<Problem> {
  const over = overMap(helm.assignments, 'mTLS.secretName');
  if (!over) return;
  yield {
    code: 'HELM_SECRET_MISSING',
    at: placeOf(over.word),
    message: overMapMessage(over),
    remedy: `Take "${over.flag} ${over.key}=..." out.`,
  };
}

function overMapMessage({ flag, key, value }: HelmAssignment): string {
  return `${flag} sets "${key}" as a whole (${value}), and mTLS.secretName is a part of it: take that option out first.`;
}

function* valueFileAdvice(helm: HelmCommand): Iterable<Problem> {
  for (const path of helm.valueFiles) {
    yield {
      code: 'MANAGER_UNCHECKED',
      at: placeOf(helm.release),
      message: `The command reads ${path} too; --set wins over it.`,
      remedy:
        'If you keep your settings in that file, migrate it instead, and take the two --set options out of the command.',
    };
  }
}

function chooseCommand(text: string, wanted: string | undefined): HelmCommand {
  const found = helmCommands(text);
  const source = new EditableText(text);
  const matching =
    wanted === undefined ? found : found.filter((helm) => nameOf(helm) === wanted || helm.release.value === wanted);
  const [chosen, another] = matching;
  if (chosen && !another) return chosen;
  const list = found.map((helm) => `"${nameOf(helm)}"`).join(', ');
  const first = found[0];
  if (!first)
    throw new ManifestError('NO_DELEGATE', 'There is no "helm upgrade" or "helm install" of a delegate here.', {
      line: 1,
      column: 1,
    });
  if (!chosen)
    throw refuse(
      source,
      'DELEGATE_UNKNOWN',
      `There is no delegate "${wanted}" here; the commands install ${list}.`,
      first.release,
    );
  throw refuse(
    source,
    'SEVERAL_DELEGATES',
    `The commands install several delegates: ${list}. Say which one is meant with --delegate NAME.`,
    another?.release ?? chosen.release,
  );
}

/** The delegate's name; a file is not looked into, and the release stands for what it says. */
export function nameOf(helm: HelmCommand): string {
  const found = assignment(helm, 'delegateName');
  return found && found.flag !== '--set-file' ? found.value : helm.release.value;
}

function placeOf(word: ShellWord): Place {
  return { part: wholeFile, offset: word.start };
}

function refuse(source: EditableText, code: ManifestErrorCode, message: string, word: ShellWord): ManifestError {
  return new ManifestError(code, message, source.originalPosition(word.start));
}
