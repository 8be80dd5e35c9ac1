/** One line of a comparison: kept, taken out of the first text, or put in by the second. */
interface Step {
  readonly kind: ' ' | '-' | '+';
  readonly line: string;
}

const context = 3;

/**
 * The difference of two texts in the unified format that `patch` and code reviews read; empty when they are equal.
 * Lines keep their ends, so that a change of line ends shows.
 */
export function unifiedDiff(before: string, after: string, path: string): string {
  if (before === after) return '';
  const steps = compare(lines(before), lines(after));
  const header = `--- a/${path}\n+++ b/${path}\n`;
  return header + hunks(steps).join('');
}

/** How many lines were taken out and put in. */
export function changedLines(before: string, after: string): { removed: string[]; added: string[] } {
  const steps = compare(lines(before), lines(after));
  const of = (kind: Step['kind']) => steps.filter((step) => step.kind === kind).map((step) => step.line);
  return { removed: of('-'), added: of('+') };
}

function lines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** The shortest way from one list to the other (E. Myers, "An O(ND) Difference Algorithm", 1986), equal ends set aside first. */
function compare(a: readonly string[], b: readonly string[]): Step[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const kept = (line: string): Step => ({ kind: ' ', line });
  return [
    ...a.slice(0, head).map(kept),
    ...shortest(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...a.slice(a.length - tail).map(kept),
  ];
}

function shortest(a: readonly string[], b: readonly string[]): Step[] {
  // reached[k] is how far one gets in `a` on diagonal k (place in a minus place in b) with the edits made so far.
  let reached = new Map<number, number>([[1, 0]]);
  const history: Map<number, number>[] = [];
  for (let edits = 0; ; edits++) {
    history.push(new Map(reached));
    const next = new Map(reached);
    for (let k = -edits; k <= edits; k += 2) {
      let x = goesDown(reached, k, edits) ? (reached.get(k + 1) ?? 0) : (reached.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, history);
    }
    reached = next;
  }
}

function goesDown(reached: ReadonlyMap<number, number>, k: number, edits: number): boolean {
  return k === -edits || (k !== edits && (reached.get(k - 1) ?? -1) < (reached.get(k + 1) ?? -1));
}

function walkBack(a: readonly string[], b: readonly string[], history: readonly ReadonlyMap<number, number>[]): Step[] {
  const steps: Step[] = [];
  let [x, y] = [a.length, b.length];
  for (let edits = history.length - 1; edits >= 0; edits--) {
    const reached = history[edits] ?? new Map();
    const down = goesDown(reached, x - y, edits);
    const from = down ? x - y + 1 : x - y - 1;
    const startX = reached.get(from) ?? 0;
    const startY = startX - from;
    for (; x > startX && y > startY && x > 0 && y > 0; y--) steps.push({ kind: ' ', line: a[--x] ?? '' });
    if (edits > 0) steps.push(down ? { kind: '+', line: b[--y] ?? '' } : { kind: '-', line: a[--x] ?? '' });
  }
  return steps.reverse();
}

function hunks(steps: readonly Step[]): string[] {
  const changed = steps.flatMap((step, index) => (step.kind === ' ' ? [] : [index]));
  const groups: [number, number][] = [];
  for (const index of changed) {
    const last = groups.at(-1);
    if (last && index - last[1] <= 2 * context) last[1] = index;
    else groups.push([index, index]);
  }
  return groups.map(([first, last]) =>
    hunk(steps, Math.max(0, first - context), Math.min(steps.length, last + context + 1)),
  );
}

function hunk(steps: readonly Step[], from: number, to: number): string {
  const count = (kinds: string, list: readonly Step[]) => list.filter((step) => kinds.includes(step.kind)).length;
  const [before, inside] = [steps.slice(0, from), steps.slice(from, to)];
  const range = (kinds: string) => {
    const length = count(kinds, inside);
    return `${count(kinds, before) + (length === 0 ? 0 : 1)},${length}`;
  };
  const body = inside.map(({ kind, line }) =>
    line.endsWith('\n') ? kind + line : `${kind}${line}\n\\ No newline at end of file\n`,
  );
  return `@@ -${range(' -')} +${range(' +')} @@\n${body.join('')}`;
}
