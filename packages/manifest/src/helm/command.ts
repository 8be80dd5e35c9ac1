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
import { certificateCompanion, secretNameFor, secretStep } from './chart-secret.ts';

/** `--set key=value` on a helm command line, and where the value stands in its word. */
export interface HelmAssignment {
  readonly key: string;
  readonly value: string;
  readonly word: ShellWord;
  readonly from: number;
  readonly to: number;
}

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

export const helmCommandRules: readonly Rule<HelmCommandScene>[] = [managerEndpoint, secretName];

/** Migrates the `helm upgrade` or `helm install` command of a delegate: both values become `--set` options. */
export function migrateHelmCommand(text: string, endpoint: Endpoint, options: MigrateOptions): Migration {
  const source = new EditableText(text);
  const chosen = chooseCommand(text, options.delegate);
  const index = helmCommands(text).findIndex((helm) => helm.release.start === chosen.release.start);
  const image = assignment(chosen, 'delegateDockerImage');
  const fault = image && !image.word.expands ? imageFault(image.value) : undefined;
  if (image && fault) throw refuse(source, 'IMAGE_NOT_IMMUTABLE', fault, image.word);

  const name = assignment(chosen, 'delegateName')?.value ?? chosen.release.value;
  const present = assignment(chosen, 'mTLS.secretName')?.value;
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
  if (image?.word.expands) left.push(unknownImage(image.value, place));
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
    if (flag === '--set' || flag === '--set-string') assignments.push(...assignmentsIn(holder, from));
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

/** `a=b,c=d` in one word; `\,` is a comma inside a value. */
function assignmentsIn(word: ShellWord, start: number): HelmAssignment[] {
  const found: HelmAssignment[] = [];
  for (const match of word.value.slice(start).matchAll(/(?:^|,)((?:\\.|[^,\\])*)/g)) {
    const text = match[1] ?? '';
    const equals = text.indexOf('=');
    if (equals === -1) continue;
    const from = start + match.index + match[0].length - text.length + equals + 1;
    found.push({
      key: text.slice(0, equals),
      value: text.slice(equals + 1),
      word,
      from,
      to: from + text.length - equals - 1,
    });
  }
  return found;
}

/** With one key set twice the last one counts. */
export function assignment({ assignments }: HelmCommand, key: string): HelmAssignment | undefined {
  return assignments.findLast((each) => each.key === key);
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
  if (present?.word.expands) {
    const message = `${key} comes from a variable of the shell (${present.value}).`;
    yield {
      code: 'EXTERNAL_VALUE',
      at: placeOf(present.word),
      message,
      remedy: `Give that variable the value ${value}.`,
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
          ? setInWord(present.word, present.from, present.to, value)
          : insertAfter(text, helm.command, last, [`--set ${key}=${value}`]),
      ],
    }),
  };
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
  const nameOf = (helm: HelmCommand) => assignment(helm, 'delegateName')?.value ?? helm.release.value;
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

function placeOf(word: ShellWord): Place {
  return { part: wholeFile, offset: word.start };
}

function refuse(source: EditableText, code: ManifestErrorCode, message: string, word: ShellWord): ManifestError {
  return new ManifestError(code, message, source.originalPosition(word.start));
}
