const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/**
 * Waits before the second to the tenth attempt: about two days in all, so that a receiver which is away for a weekend's
 * night misses nothing, and one which is away for good costs ten requests an event.
 */
export const RETRY_AFTER_MS = [
  5_000,
  30_000,
  2 * MINUTE,
  10 * MINUTE,
  HOUR,
  4 * HOUR,
  8 * HOUR,
  12 * HOUR,
  24 * HOUR,
] as const;

/** A webhook that has failed for so long, without one success, is switched off when an event is given up. */
export const OFF_AFTER_MS = 5 * 24 * HOUR;

/** Events of one outage are not all tried again at one moment. */
const JITTER = 0.2;

/** When to try again after the attempt of this number (the first is 1) failed; null: not any more. `random` is in [0, 1). */
export function nextAttemptAt(attempt: number, now: number, random: () => number): number | null {
  const wait = RETRY_AFTER_MS[attempt - 1];
  return wait === undefined ? null : now + Math.round(wait * (1 - JITTER + 2 * JITTER * random()));
}
