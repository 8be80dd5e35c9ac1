import { isMap, isScalar, type Node, parseDocument } from 'yaml';
import type { ShellWord } from '../edit/shell-words.ts';

/** A value that a helm command line sets, and where it stands in its word. */
export interface HelmAssignment {
  readonly key: string;
  readonly value: string;
  readonly flag: SettingFlag;
  readonly word: ShellWord;
  readonly from: number;
  readonly to: number;
}

/** In the order in which Helm applies them, whatever the order on the command line: a later one wins. */
const settingFlags = ['--set-json', '--set', '--set-string', '--set-file', '--set-literal'] as const;

export type SettingFlag = (typeof settingFlags)[number];

export function isSettingFlag(flag: string): flag is SettingFlag {
  return (settingFlags as readonly string[]).includes(flag);
}

/** The assignments in one word, whose text begins at `start`. */
export function assignmentsIn(flag: SettingFlag, word: ShellWord, start: number): HelmAssignment[] {
  if (flag === '--set-json') return jsonAssignments(word, start);
  // The whole rest is the value there, commas and backslashes included.
  if (flag === '--set-literal') return pair(flag, word, start, word.value.slice(start));
  // `a=b,c=d` in one word; `\,` is a comma inside a value.
  return [...word.value.slice(start).matchAll(/(?:^|,)((?:\\.|[^,\\])*)/g)].flatMap((match) => {
    const text = match[1] ?? '';
    return pair(flag, word, start + match.index + match[0].length - text.length, text);
  });
}

/** The one that Helm uses: of those that come last in its order, the last on the command line. */
export function effective(assignments: readonly HelmAssignment[], key: string): HelmAssignment | undefined {
  return assignments
    .filter((each) => each.key === key)
    .sort((a, b) => settingFlags.indexOf(a.flag) - settingFlags.indexOf(b.flag))
    .at(-1);
}

/** An option that sets the map itself in which a key stands: Helm refuses that, or the key is gone. */
export function overMap(assignments: readonly HelmAssignment[], key: string): HelmAssignment | undefined {
  return assignments.find((each) => key.startsWith(`${each.key}.`));
}

/** Where a value comes from, when the command line itself does not hold it. */
export function outside({ word, flag, value }: HelmAssignment): string | undefined {
  if (word.expands) return `a variable of the shell (${value})`;
  return flag === '--set-file' ? `the file ${value} (--set-file)` : undefined;
}

/** What stands between the quotes of JSON text, where it goes into JSON. */
export function writtenValue(flag: SettingFlag, value: string, quoted: boolean): string {
  if (flag !== '--set-json') return value;
  const json = JSON.stringify(value);
  return quoted ? json.slice(1, -1) : json;
}

function pair(flag: SettingFlag, word: ShellWord, start: number, text: string): HelmAssignment[] {
  const equals = text.indexOf('=');
  if (equals === -1) return [];
  const from = start + equals + 1;
  return [{ key: text.slice(0, equals), value: text.slice(equals + 1), flag, word, from, to: start + text.length }];
}

/** `a="b",c={"d":"e"}`, or one map of all values. */
function jsonAssignments(word: ShellWord, start: number): HelmAssignment[] {
  const text = word.value;
  if (/^\s*\{/.test(text.slice(start))) return leaves(word, start, text.length, '');
  const found: HelmAssignment[] = [];
  for (let at = start; at < text.length; ) {
    const equals = text.indexOf('=', at);
    if (equals === -1) break;
    const end = jsonEnd(text, equals + 1);
    found.push(...leaves(word, equals + 1, end, text.slice(at, equals).trim()));
    at = end + 1;
  }
  return found;
}

/** Where a JSON value ends: at a comma outside of its brackets and quotes. */
function jsonEnd(text: string, start: number): number {
  let depth = 0;
  for (const match of text.slice(start).matchAll(/"(?:\\.|[^"\\])*"|[[\]{},]/g)) {
    const [token] = match;
    if (token === ',' && depth === 0) return start + match.index;
    if (token === '{' || token === '[') depth++;
    if (token === '}' || token === ']') depth--;
  }
  return text.length;
}

/** The values inside a JSON text, each with its whole key. JSON that cannot be read is one value. */
function leaves(word: ShellWord, start: number, end: number, key: string): HelmAssignment[] {
  const document = parseDocument(word.value.slice(start, end), { logLevel: 'silent' });
  const root = document.errors.length > 0 ? undefined : document.contents;
  return root ? below(root, word, start, key) : [whole(word, start, end, key)];
}

function below(node: Node, word: ShellWord, start: number, key: string): HelmAssignment[] {
  if (isMap(node)) {
    return node.items.flatMap((item) => {
      const name = isScalar(item.key) ? String(item.key.value) : '';
      return item.value ? below(item.value as Node, word, start, key === '' ? name : `${key}.${name}`) : [];
    });
  }
  const [from, to] = [start + (node.range?.[0] ?? 0), start + (node.range?.[1] ?? 0)];
  const quoted = isScalar(node) && typeof node.value === 'string' && word.value[from] === '"';
  if (!quoted) return [whole(word, from, to, key)];
  return [{ key, value: String(node.value), flag: '--set-json', word, from: from + 1, to: to - 1 }];
}

function whole(word: ShellWord, from: number, to: number, key: string): HelmAssignment {
  return { key, value: word.value.slice(from, to), flag: '--set-json', word, from, to };
}
