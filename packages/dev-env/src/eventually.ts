import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AT_LEAST_EVERY_MS = 100;
const LOOK_AT_MOST_EVERY_MS = 5;

/**
 * Resolves with the first value of `look` that is neither undefined, null nor false; rejects, naming what was waited
 * for, when there is none within `withinMs`. For what happens by itself and says nothing when it does. The longer it
 * waits, the less often it looks: many looks are requests, which would take the processor from what is waited for.
 */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = 20_000,
): Promise<Exclude<T, undefined | null | false>> {
  const started = performance.now();
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== null && seen !== false) {
      return seen as Exclude<T, undefined | null | false>;
    }
    const waited = performance.now() - started;
    if (waited > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(Math.min(LOOK_AT_LEAST_EVERY_MS, Math.max(LOOK_AT_MOST_EVERY_MS, waited / 10)));
  }
}
