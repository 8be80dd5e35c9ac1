import { printable } from '../output/printable.ts';

/** Colours and their kin, ECMA-48 SGR: they change how text looks, and nothing else. */
const ESCAPE = '\x1b';
const COLOUR = new RegExp(`${ESCAPE}\\[[0-9;:]*m`, 'g');
const CONCEALS = /(^|[;[])0*8[;m]/;
export const RESET_COLOURS = `${ESCAPE}[0m`;

export interface TextTarget {
  readonly isTerminal: boolean;
  readonly noColor: boolean;
}

/**
 * A script's output for the reader's own terminal. Colours stay; every other control sequence is shown as text: the script
 * ran elsewhere, and what it prints must not move the cursor, rename the window or answer for the keyboard here. A pipe or a
 * file gets what the script printed, byte for byte.
 */
export function shownOn({ isTerminal, noColor }: TextTarget, text: string): string {
  const coloured = noColor ? text.replaceAll(COLOUR, '') : text;
  if (!isTerminal) return coloured;
  let shown = '';
  let at = 0;
  for (const { 0: sequence, index } of coloured.matchAll(COLOUR)) {
    shown += harmless(coloured.slice(at, index));
    // Concealed text would be a way to show a person something else than what is there.
    shown += CONCEALS.test(sequence) ? harmless(sequence) : sequence;
    at = index + sequence.length;
  }
  return shown + harmless(coloured.slice(at));
}

const harmless = (text: string): string =>
  text
    .split('\t')
    .map((part) => printable(part, { keepLines: true }))
    .join('\t');
