import { printable } from './printable.ts';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
}

export interface TableOptions {
  /** Columns of the terminal; undefined (a pipe, a file) means that nothing is cut off. */
  readonly width: number | undefined;
  /** Dresses the header line; the identity where colours are not wanted. */
  readonly header: (text: string) => string;
}

const GAP = '  ';
/** Below this a column says nothing: the table is then wider than the terminal, and the terminal wraps it. */
const NARROWEST = 8;

/**
 * The rows as aligned columns, one line each, ending with a line feed. Where they don't fit the terminal, the widest
 * columns give way first, and what was cut ends in an ellipsis. Every value is made printable.
 */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], options: TableOptions): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const natural = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...cells.map((line) => displayWidth(line[index] ?? ''))),
  );
  const widths = options.width === undefined ? natural : shrink(natural, options.width);
  const line = (values: readonly string[]) =>
    values
      .map((value, index) => pad(value, widths[index] ?? 0))
      .join(GAP)
      .trimEnd();
  return `${[options.header(line(columns.map((column) => column.title))), ...cells.map(line)].join('\n')}\n`;
}

/** Name and value, one a line; a value of several lines (PEM) starts on the next line. */
export function fields(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => displayWidth(name)));
  return pairs
    .map(([name, value]) => {
      const text = printable(value.trimEnd(), { keepLines: true });
      return text.includes('\n') ? `${name}:\n${text}\n` : `${pad(`${name}:`, width + 1)} ${text}\n`;
    })
    .join('');
}

function shrink(natural: readonly number[], available: number): number[] {
  const widths = [...natural];
  const excess = () => widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1)) - available;
  while (excess() > 0) {
    const widest = Math.max(...widths);
    if (widest <= NARROWEST) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function pad(text: string, width: number): string {
  const missing = width - displayWidth(text);
  return missing >= 0 ? text + ' '.repeat(missing) : cut(text, width);
}

function cut(text: string, width: number): string {
  let kept = '';
  let used = 0;
  for (const { segment } of graphemesOf(text)) {
    const next = segmentWidth(segment);
    if (used + next > width - 1) break;
    kept += segment;
    used += next;
  }
  return `${kept}…${' '.repeat(width - 1 - used)}`;
}

/** Made at the first text beyond ASCII: making it is a tenth of what a command takes. */
let segmenter: Intl.Segmenter | undefined;

function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return segmenter.segment(text);
}

// East Asian wide and full-width forms, and emoji, take two columns.
const WIDE =
  /^[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]|^\p{Emoji_Presentation}/u;
const ASCII = /^[\x20-\x7e]*$/;

const segmentWidth = (segment: string): number => (WIDE.test(segment) ? 2 : 1);

function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemesOf(text)) width += segmentWidth(segment);
  return width;
}
