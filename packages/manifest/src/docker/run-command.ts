import { containerPath } from '../container-path.ts';
import { areDelegateVariables } from '../delegate-variables.ts';
import { type ShellCommand, type ShellWord, shellCommands } from '../edit/shell-words.ts';
import { imageBaseName } from '../image-tag.ts';

/** `-e NAME=value`: where the value stands in its word; undefined for `-e NAME`, which passes the shell's own on. */
export interface RunVariable {
  readonly name: string;
  readonly value: string | undefined;
  readonly word: ShellWord;
  readonly from: number;
}

/** `-v source:target[:mode]` or `--mount source=...,target=...`. */
export interface RunMount {
  readonly source: string;
  /** As the container runtime resolves it. */
  readonly target: string;
  readonly word: ShellWord;
  /** Where the source stands in the word. */
  readonly from: number;
}

export interface RunCommand {
  readonly command: ShellCommand;
  readonly image: ShellWord;
  readonly beforeImage: ShellWord;
  readonly name: string;
  readonly role: 'delegate' | 'upgrader';
  readonly variables: readonly RunVariable[];
  readonly mounts: readonly RunMount[];
  readonly envFiles: readonly { readonly path: string; readonly word: ShellWord }[];
}

const switches = new Set([
  '--detach',
  '--interactive',
  '--tty',
  '--rm',
  '--privileged',
  '--init',
  '--publish-all',
  '--read-only',
  '--no-healthcheck',
  '--oom-kill-disable',
  '--sig-proxy',
  '--disable-content-trust',
  '--quiet',
  '--help',
]);

/** A switch, or several short ones in one word (`-dit`). */
function isSwitch(word: string): boolean {
  return switches.has(word) || /^-[ditqP]+$/.test(word);
}

/** The docker (podman, nerdctl) commands of a text that run a delegate or its upgrader. */
export function runCommands(text: string): RunCommand[] {
  return shellCommands(text).flatMap((command) => parseRun(command) ?? []);
}

function parseRun(command: ShellCommand): RunCommand | undefined {
  const tool = command.words.findIndex((word) => /(?:^|\/)(?:docker|podman|nerdctl)(?:\.exe)?$/.test(word.value));
  const verb = command.words.findIndex(
    (word, index) => index > tool && (word.value === 'run' || word.value === 'create'),
  );
  if (tool === -1 || verb === -1 || verb > tool + 2) return undefined;
  const variables: RunVariable[] = [];
  const mounts: RunMount[] = [];
  const envFiles: { path: string; word: ShellWord }[] = [];
  let name = '';
  for (let index = verb + 1; index < command.words.length; index++) {
    const word = command.words[index];
    if (!word) break;
    if (!word.value.startsWith('-')) {
      const beforeImage = command.words[index - 1] ?? word;
      return classified({ command, image: word, beforeImage, name, variables, mounts, envFiles });
    }
    const [flag, holder, from] = option(command.words, index, word);
    if (holder !== word) index++;
    if (!holder) continue;
    const value = holder.value.slice(from);
    if (flag === '-e' || flag === '--env') variables.push(variable(holder, from));
    else if (flag === '--env-file') envFiles.push({ path: value, word: holder });
    else if (flag === '--name') name = value;
    else if (flag === '-v' || flag === '--volume' || flag === '--mount') mounts.push(...mount(flag, holder, from));
  }
  return undefined;
}

/** A flag, the word that holds its value (none for a switch, itself for `--flag=value` and `-eNAME=value`), and where the value starts. */
function option(words: readonly ShellWord[], index: number, word: ShellWord): [string, ShellWord | undefined, number] {
  const equals = word.value.indexOf('=');
  if (word.value.startsWith('--')) {
    if (equals !== -1) return [word.value.slice(0, equals), word, equals + 1];
    return isSwitch(word.value) ? [word.value, word, word.value.length] : [word.value, words[index + 1], 0];
  }
  if (isSwitch(word.value)) return [word.value, word, word.value.length];
  if (word.value.length > 2) return [word.value.slice(0, 2), word, 2];
  return [word.value, words[index + 1], 0];
}

function variable(word: ShellWord, from: number): RunVariable {
  const equals = word.value.indexOf('=', from);
  if (equals === -1) return { name: word.value.slice(from), value: undefined, word, from: word.value.length };
  return { name: word.value.slice(from, equals), value: word.value.slice(equals + 1), word, from: equals + 1 };
}

function mount(flag: string, word: ShellWord, from: number): RunMount[] {
  const text = word.value.slice(from);
  if (flag === '--mount') {
    const field = (names: string) => new RegExp(`(?:^|,)(?:${names})=([^,]*)`).exec(text);
    const source = field('source|src');
    const target = field('target|destination|dst')?.[1];
    const start = source ? from + source.index + source[0].length - (source[1]?.length ?? 0) : word.value.length;
    return target === undefined
      ? []
      : [{ source: source?.[1] ?? '', target: containerPath(target), word, from: start }];
  }
  // A Windows path starts with a drive letter and its colon.
  const [, source, target] = /^((?:[A-Za-z]:[\\/])?[^:]*):([^:]+)/.exec(text) ?? [];
  return source === undefined || target === undefined ? [] : [{ source, target: containerPath(target), word, from }];
}

function classified(parsed: Omit<RunCommand, 'role'>): RunCommand | undefined {
  const names = new Set(parsed.variables.map(({ name }) => name));
  const base = imageBaseName(parsed.image.value);
  const fallback = parsed.variables.find((each) => each.name === 'DELEGATE_NAME')?.value;
  const name = fallback ?? parsed.name;
  if (base === 'upgrader' || names.has('UPGRADER_TOKEN')) return { ...parsed, name, role: 'upgrader' };
  return /(?:^|-)delegate(?:-|$)/.test(base) || areDelegateVariables(names)
    ? { ...parsed, name, role: 'delegate' }
    : undefined;
}
