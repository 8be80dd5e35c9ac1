import { type PartEdit, wholeFile } from './text-part.ts';

/** A word of a command line, and where in the text each of its characters stands. */
export interface ShellWord {
  readonly start: number;
  readonly end: number;
  /** What the program sees: quotes and escapes resolved, variables left as they are. */
  readonly value: string;
  /** True when the shell would put something in (`$NAME`, `$(...)`, backticks): the value is not known here. */
  readonly expands: boolean;
  readonly spans: readonly (readonly [number, number])[];
}

/** One command: its words up to the end of the line, over continued lines. */
export interface ShellCommand {
  readonly words: readonly ShellWord[];
}

/**
 * The commands of a text, as a POSIX shell splits it into words. Continued lines may also end in a backtick
 * (PowerShell) or a caret (cmd). Comments are left out.
 */
export function shellCommands(text: string): ShellCommand[] {
  const commands: ShellCommand[] = [];
  let words: ShellWord[] = [];
  const finish = () => {
    if (words.length > 0) commands.push({ words });
    words = [];
  };
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at, at + 3);
    const continued = /^[\\`^]\r?\n/.exec(rest)?.[0];
    if (continued) at += continued.length;
    else if (/^[ \t]/.test(rest)) at++;
    else if (/^\r?\n/.test(rest) || /^[;&|]/.test(rest)) {
      finish();
      at++;
    } else if (rest.startsWith('#')) at = endOfLine(text, at);
    else {
      const word = readWord(text, at);
      words.push(word);
      at = Math.max(word.end, at + 1);
    }
  }
  finish();
  return commands;
}

function endOfLine(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline === -1 ? text.length : newline;
}

function readWord(text: string, start: number): ShellWord {
  let value = '';
  let expands = false;
  const spans: [number, number][] = [];
  let quote = '';
  let at = start;
  const take = (from: number, to: number, char: string) => {
    value += char;
    for (let i = 0; i < char.length; i++) spans.push([from, to]);
  };
  for (; at < text.length; at++) {
    const char = text[at] ?? '';
    const next = text[at + 1] ?? '';
    if (quote === '' && (/[\s;|&]/.test(char) || (/[\\`^]/.test(char) && /^\r?\n/.test(text.slice(at + 1, at + 3)))))
      break;
    if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = '';
    else if (char === '\\' && quote === '') take(at, ++at + 1, next);
    else if (char === '\\' && quote === '"' && /["\\$`]/.test(next)) take(at, ++at + 1, next);
    else {
      if (quote !== "'" && (char === '`' || (char === '$' && /[A-Za-z_{(]/.test(next)))) expands = true;
      take(at, at + 1, char);
    }
  }
  return { start, end: at, value, expands, spans };
}

/**
 * Replaces the characters `from` up to `to` of a word's value; the word keeps its quotes. A value that means something to
 * the shell could break out of them (a path with `$(...)` in it would be run), so the whole word is then quoted anew.
 */
export function setInWord(word: ShellWord, from: number, to: number, value: string): PartEdit {
  if (!safeInShell.test(value)) {
    const whole = word.value.slice(0, from) + value + word.value.slice(to);
    return { part: wholeFile, start: word.start, end: word.end, text: shellQuote(whole) };
  }
  const start = word.spans[from]?.[0] ?? lastEnd(word);
  const end = to > from ? (word.spans[to - 1]?.[1] ?? lastEnd(word)) : start;
  return { part: wholeFile, start, end, text: value };
}

/** Where something appended to a word's value goes: before its closing quote. */
function lastEnd(word: ShellWord): number {
  return word.spans.at(-1)?.[1] ?? word.end;
}

/** A word as one writes it: bare where that is safe, in quotes otherwise. */
export function shellQuote(value: string): string {
  return safeInShell.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}

const safeInShell = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** Puts words behind another one, separated from it and from each other the way the command separates its options. */
export function insertAfter(text: string, command: ShellCommand, word: ShellWord, groups: readonly string[]): PartEdit {
  const gap = optionGap(text, command);
  return { part: wholeFile, start: word.end, end: word.end, text: groups.map((group) => gap + group).join('') };
}

/** What stands between options: a continued line with its indentation where there is one, a space otherwise. */
function optionGap(text: string, { words }: ShellCommand): string {
  const gaps = words.slice(1).map((word, index) => ({ word, gap: text.slice(words[index]?.end ?? 0, word.start) }));
  return gaps.find(({ word, gap }) => word.value.startsWith('-') && gap.includes('\n'))?.gap ?? ' ';
}
