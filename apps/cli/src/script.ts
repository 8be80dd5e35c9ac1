import { readFile } from 'node:fs/promises';
import { usageError } from './errors.ts';
import { readAll, type Terminal } from './terminal.ts';

const LIMIT_BYTES = 262_144;

/** The script that `task run` sends: of --script, or made of the words after `--`. */
export async function readScript(
  terminal: Terminal,
  words: readonly string[],
  file: string | undefined,
): Promise<string> {
  if (file !== undefined && words.length > 0) {
    throw usageError('Both --script and a command were given.', 'Give one of them.');
  }
  if (file === undefined && words.length === 0) {
    throw usageError('There is nothing to run.', 'Put a command after --, or name a file with --script.');
  }
  const script = file === undefined ? commandLine(words) : await scriptText(terminal, file);
  const size = Buffer.byteLength(script);
  if (size > LIMIT_BYTES) throw usageError(`The script has ${size} bytes.`, `Keep it to ${LIMIT_BYTES} bytes.`);
  if (script.trim() === '') throw usageError('The script is empty.', 'Check what --script names.');
  return script;
}

/**
 * One word is a line of shell, as it stands: -- 'ls | wc -l'. Several are a command and its arguments, and arrive as
 * they were given, spaces and dollar signs included.
 */
export function commandLine(words: readonly string[]): string {
  const [first = '', ...rest] = words;
  return rest.length === 0 ? first : words.map(quoted).join(' ');
}

// No equals sign among the plain ones: in front of a command, NAME=value would become an assignment.
const quoted = (word: string): string =>
  /^[A-Za-z0-9_@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

async function scriptText(terminal: Terminal, file: string): Promise<string> {
  if (file === '-') return readAll(terminal.stdin, LIMIT_BYTES);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw usageError(`The script ${file} cannot be read.`, 'Check the path and its permissions.', String(error));
  }
}
