/** Why one step of the way failed: a code of the system or of OpenSSL, and nothing that was sent. */
export interface StepFailure {
  /** ENOTFOUND, ECONNREFUSED, ERR_SSL_..., TIMEOUT; STATUS for an HTTP answer that says no. */
  readonly code: string;
  /** Of an HTTP answer. */
  readonly status: number | null;
  /** The beginning of what was answered, for those who know its wording. */
  readonly text: string;
}

export type Step<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: StepFailure };

export const done = <T>(value: T): Step<T> => ({ ok: true, value });

export const failed = (code: string, status: number | null = null, text = ''): Step<never> => ({
  ok: false,
  failure: { code, status, text },
});

export interface TimeLimits {
  /** For each step of the way. */
  readonly stepMs: number;
  /** For everything together. */
  readonly totalMs: number;
}

/** Slow links need a second for TLS; the whole must be over before a person doubts that it works. */
export const TIME_LIMITS: TimeLimits = { stepMs: 2000, totalMs: 4500 };

/** The signal of one step: its own time, and what is left of the whole. */
export function stepSignal(limits: TimeLimits, whole: AbortSignal): AbortSignal {
  return AbortSignal.any([whole, AbortSignal.timeout(limits.stepMs)]);
}

/**
 * Waits for a step no longer than its signal allows. `undo` ends what the step has opened, whenever it fails; a result
 * that comes too late is handed to `discard`.
 */
export async function bounded<T>(
  work: Promise<T>,
  signal: AbortSignal,
  undo: () => void,
  discard: (late: T) => void = () => undefined,
): Promise<Step<T>> {
  const { promise: over, resolve } = Promise.withResolvers<'TIMEOUT'>();
  const onAbort = () => resolve('TIMEOUT');
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const first = await Promise.race([work.then((value) => ({ value })), over]);
    if (first !== 'TIMEOUT') return done(first.value);
    work.then(discard, () => undefined);
    undo();
    return failed('TIMEOUT');
  } catch (error) {
    undo();
    return failed(codeOf(error));
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The most telling code; an AggregateError (several addresses tried) hides it in its parts. */
export function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'UNKNOWN';
}
