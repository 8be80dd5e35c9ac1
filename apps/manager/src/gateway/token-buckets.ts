import type { LRUCache } from 'lru-cache';
import { boundedCache } from '../bounded-cache.ts';

/**
 * Keys remembered, at about 200 bytes each. Whoever has more addresses than this gets a full bucket back when the oldest
 * is forgotten; with that many addresses each one's bucket would hardly have been touched.
 */
const MOST_KEYS = 50_000;

/** How often something may happen: `perSecond` in the long run, `burst` at once. Infinity is no limit. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** One token bucket a key. A key that was never seen, or not for long, has a full one. */
export class TokenBuckets {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #buckets: LRUCache<string, Bucket>;

  /** `now` gives milliseconds of a clock that never goes back. */
  constructor(rate: Rate, now: () => number = () => performance.now(), mostKeys: number = MOST_KEYS) {
    this.#rate = rate;
    this.#now = now;
    this.#buckets = boundedCache(mostKeys);
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** True when one more is within the rate; it then counts. What is refused costs no token: retrying does not lock out. */
  take(key: string): boolean {
    const { perSecond, burst } = this.#rate;
    if (perSecond === Number.POSITIVE_INFINITY) return true;
    const now = this.#now();
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      this.#buckets.set(key, { tokens: burst - 1, at: now });
      return true;
    }
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1_000) * perSecond);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
