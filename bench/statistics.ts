/** The middle value. Throws RangeError for none at all: a median of nothing would look like a measurement. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The value that p % of the values do not exceed, interpolated between neighbours. Throws RangeError for none at all. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = ((sorted.length - 1) * p) / 100;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new RangeError('nothing was measured');
  return below + (above - below) * (position - Math.floor(position));
}

/**
 * The ratio of two things that were measured in turns: the median of the ratios round by round. What disturbs the
 * machine for a while disturbs both halves of a round, and leaves the ratio alone.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length) throw new RangeError('not measured in turns');
  return median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}
