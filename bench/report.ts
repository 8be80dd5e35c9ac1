/** One line of the report: what was measured of us, and beside what. */
export interface Comparison {
  /** What was measured, the same words for every peer of it. */
  readonly measure: string;
  readonly ours: string;
  readonly peer: string;
  /** A figure in words, or why there is none ("not installed"). */
  readonly theirs: string;
  /** Ours divided by theirs; null where a ratio says nothing. */
  readonly ratio: number | null;
  /** Null: information. */
  readonly goal: Goal | null;
}

export interface Goal {
  readonly text: string;
  readonly met: boolean;
}

export function ratioGoal(limit: number, ratio: number): Goal {
  return { text: `<= ${limit.toFixed(2)}`, met: ratio <= limit };
}

const COLUMNS = ['measured', 'Sallyport', 'beside', 'its figure', 'ratio', 'goal'] as const;

/** The comparisons as a table in monospaced text (also valid Markdown); words stand left, figures right. */
export function table(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ measure, ours, peer, theirs, ratio, goal }) => [
    measure,
    ours,
    peer,
    theirs,
    ratio === null ? '' : ratio.toFixed(2),
    goal === null ? '' : `${goal.text} ${goal.met ? 'met' : 'MISSED'}`,
  ]);
  const widths = COLUMNS.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const right = [false, true, false, true, true, false];
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (right[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => `${'-'.repeat(width + 1)}${right[i] ? ':' : '-'}`).join('|')}|`;
  return [line(COLUMNS), rule, ...rows.map(line)].join('\n');
}

export function milliseconds(seconds: number): string {
  return `${(seconds * 1e3).toFixed(seconds < 0.01 ? 3 : 1)} ms`;
}

export function microseconds(seconds: number): string {
  return `${(seconds * 1e6).toFixed(1)} us`;
}
