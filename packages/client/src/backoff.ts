export interface BackoffOptions {
  /** Upper bound of the first delay. */
  readonly baseMs: number;
  /** Upper bound of every delay. */
  readonly maxMs: number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** Delays never fall below this share of their bound, so that a run of small random numbers is not a busy loop. */
const FLOOR = 0.1;

/**
 * Growing delays with full jitter: the bound doubles, the delay is anywhere between a tenth of it and the bound.
 * Full jitter because a fleet loses its manager in the same second and must not come back in the same second.
 */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#baseMs = options.baseMs;
    this.#maxMs = options.maxMs;
    this.#random = options.random ?? Math.random;
  }

  /** Milliseconds to wait before the next attempt; `atLeastMs` is what the server asked for (Retry-After). */
  next(atLeastMs = 0): number {
    const bound = Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    const delay = bound * (FLOOR + (1 - FLOOR) * this.#random());
    return Math.round(Math.max(delay, atLeastMs));
  }

  reset(): void {
    this.#attempt = 0;
  }
}
