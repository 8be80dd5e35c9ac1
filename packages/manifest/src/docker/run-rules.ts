import {
  certificatePath,
  delegateWishes,
  keyPath,
  mountDirectory,
  upgraderWish,
  type Wish,
  wishMessage,
  wrongValueCode,
} from '../delegate-variables.ts';
import type { Rule } from '../edit/settle.ts';
import { insertAfter, type ShellWord, setInWord, shellQuote } from '../edit/shell-words.ts';
import { wholeFile } from '../edit/text-part.ts';
import type { Place, Problem } from '../finding.ts';
import { type DockerTarget, envFileAdvice, folderKept, mountKept } from './docker-target.ts';
import type { RunCommand } from './run-command.ts';

export interface RunScene {
  readonly text: string;
  readonly delegate: RunCommand;
  readonly upgraders: readonly RunCommand[];
  readonly target: DockerTarget;
}

export const runRules: readonly Rule<RunScene>[] = [variables, envFiles, certificateMounts, upgraders];

function* variables({ text, delegate, target }: RunScene): Iterable<Problem> {
  for (const wish of delegateWishes(target)) yield* variable(text, delegate, wish);
}

/** `-e` wins over them, and what it does not set comes from there. */
function* envFiles({ delegate, target }: RunScene): Iterable<Problem> {
  for (const { path, word } of delegate.envFiles) yield* envFileAdvice(path, placeOf(word), delegate.variables, target);
}

function* upgraders({ text, upgraders: commands, target }: RunScene): Iterable<Problem> {
  if (!target.endpoint) return;
  for (const command of commands) yield* variable(text, command, upgraderWish(target.endpoint));
}

function* variable(text: string, run: RunCommand, wish: Wish): Iterable<Problem> {
  const { name, value: wanted } = wish;
  const settings = run.variables.filter((each) => each.name === name);
  const present = settings.at(-1);
  const remedy = `Set ${name} to ${wanted}.`;
  if (present && (present.value === undefined || present.word.expands)) {
    yield {
      code: 'EXTERNAL_VALUE',
      at: placeOf(present.word),
      message: `${name} comes from the shell's environment.`,
      remedy,
    };
    return;
  }
  if (present?.value === wanted || (!present && !wish.required)) return;
  yield {
    code: present?.value ? wrongValueCode(wish) : wish.code,
    at: placeOf(present?.word ?? run.image),
    message: wishMessage(wish, present?.value),
    remedy,
    repair: () => ({
      what: present ? `set ${name} to ${wanted}` : `added -e ${name}=${wanted}`,
      edits: [
        present
          ? setInWord(present.word, present.from, present.word.value.length, wanted)
          : insertAfter(text, run.command, run.beforeImage, [`-e ${name}=${shellQuote(wanted)}`]),
      ],
    }),
  };
}

/** The two files, each mounted at its path; a mount of the whole directory serves as well. */
function* certificateMounts({ text, delegate, target }: RunScene): Iterable<Problem> {
  const directory = delegate.mounts.find((each) => each.target === mountDirectory);
  if (directory) {
    yield* folderKept(directory.source, target.files, placeOf(directory.word));
    return;
  }
  for (const [path, role] of [
    [certificatePath, 'certificate'],
    [keyPath, 'key'],
  ] as const) {
    const present = delegate.mounts.find((each) => each.target === path);
    const wanted = target.files?.[role];
    if (wanted !== undefined && present?.word.expands && present.source !== wanted)
      yield mountKept(path, present.source, [wanted], placeOf(present.word));
    if (present ? wanted === undefined || present.source === wanted || present.word.expands : wanted === undefined)
      continue;
    yield {
      code: present ? 'SECRET_OUTDATED' : 'MOUNT_MISSING',
      at: placeOf(present?.word ?? delegate.image),
      message: present ? `${path} is mounted from ${present.source}.` : `The container has nothing at ${path}.`,
      remedy: `Mount ${wanted} there, read-only.`,
      repair: () => ({
        what: `mounted ${wanted} at ${path}`,
        edits: [
          present
            ? setInWord(present.word, present.from, present.from + present.source.length, wanted ?? '')
            : insertAfter(text, delegate.command, delegate.beforeImage, [`-v ${shellQuote(`${wanted}:${path}:ro`)}`]),
        ],
      }),
    };
  }
}

function placeOf(word: ShellWord): Place {
  return { part: wholeFile, offset: word.start };
}
