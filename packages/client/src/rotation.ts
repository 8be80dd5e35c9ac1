import { setTimeout as delay } from 'node:timers/promises';
import { Backoff } from './backoff.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { ConnectionSet } from './connection-set.ts';

export interface RotationTimings {
  /** Bounds of the waits between two attempts with a new pair that was refused. */
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
}

interface RotationParts {
  /** Resolves when the manager takes the candidate's pair. */
  readonly try: (candidate: ConnectionSet) => Promise<void>;
  /** From now on everything new goes through the candidate. */
  readonly adopt: (candidate: ConnectionSet) => void;
  readonly refused: (identity: ClientIdentity, error: unknown) => void;
  readonly timings: Partial<RotationTimings>;
}

const DEFAULT_TIMINGS: RotationTimings = { retryBaseMs: 5000, retryMaxMs: 60_000 };

/**
 * Make-before-break for client certificates. A new pair is tried beside the old one; only when the manager takes it,
 * or when the old one is refused anyway, does it become the one in use. A refused pair is tried again, because the
 * usual cause is that its CA has not been uploaded yet.
 */
export class Rotation {
  readonly #parts: RotationParts;
  readonly #timings: RotationTimings;
  #candidate: ConnectionSet | null = null;
  #wake = new AbortController();
  #oldPairFails = false;

  constructor(parts: RotationParts) {
    this.#parts = parts;
    this.#timings = { ...DEFAULT_TIMINGS, ...parts.timings };
  }

  /** Takes the place of a candidate that is still being tried. */
  offer(candidate: ConnectionSet): void {
    this.#drop();
    this.#candidate = candidate;
    // Never rejects: every failure of an attempt is caught inside.
    void this.#pursue(candidate);
  }

  oldPairWorks(): void {
    this.#oldPairFails = false;
  }

  /** The manager refused the pair in use: whatever waits to replace it can only be better. */
  oldPairFails(): void {
    this.#oldPairFails = true;
    this.#wake.abort();
  }

  stop(): void {
    this.#drop();
  }

  async #pursue(candidate: ConnectionSet): Promise<void> {
    const backoff = new Backoff({ baseMs: this.#timings.retryBaseMs, maxMs: this.#timings.retryMaxMs });
    let lastCause = '';
    while (this.#candidate === candidate && !this.#oldPairFails) {
      try {
        await this.#parts.try(candidate);
        break;
      } catch (error) {
        const cause = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
        if (this.#candidate !== candidate) return;
        if (cause !== lastCause && candidate.identity !== null) this.#parts.refused(candidate.identity, error);
        lastCause = cause;
        await this.#pause(backoff.next());
      }
    }
    if (this.#candidate !== candidate) return;
    this.#candidate = null;
    this.#oldPairFails = false;
    this.#parts.adopt(candidate);
  }

  /** Ends early when the old pair fails or another candidate comes. */
  async #pause(ms: number): Promise<void> {
    this.#wake = new AbortController();
    if (this.#oldPairFails) return;
    await delay(ms, undefined, { signal: this.#wake.signal, ref: false }).catch(() => undefined);
  }

  #drop(): void {
    const candidate = this.#candidate;
    this.#candidate = null;
    this.#wake.abort();
    if (candidate !== null) void candidate.destroy();
  }
}
