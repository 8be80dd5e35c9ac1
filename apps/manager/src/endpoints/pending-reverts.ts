import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import type { EndpointWriter } from './endpoint-writer.ts';
import { RevertStore } from './revert-store.ts';

export interface PendingRevertsParts {
  readonly database: Kysely<Schema>;
  readonly writer: EndpointWriter;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** While one is pending; the clock of a machine may jump, and a timer does not notice. */
const LOOK_WHILE_PENDING_MS = 1_000;
/** Otherwise: another replica may have died between its commit and its announcement being heard. */
const LOOK_MS = 15_000;
const AFTER_FAILURE_MS = 1_000;
const BATCH = 100;

/**
 * Takes back the changes that nobody confirmed. Every replica watches, one of them does it: what is pending is in the
 * database, so a restart or a crash delays it at most until some replica runs again.
 */
export class PendingReverts {
  readonly #parts: PendingRevertsParts;
  readonly #store: RevertStore;
  readonly #unsubscribe: (() => void)[];
  #timer: NodeJS.Timeout | null = null;
  #nextLookAt = 0;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: PendingRevertsParts) {
    this.#parts = parts;
    this.#store = new RevertStore(parts.database);
    this.#unsubscribe = [
      parts.bus.subscribe('trust-changed', () => this.#lookWithin(0)),
      parts.bus.subscribe('resync', () => this.#lookWithin(0)),
    ];
    this.#lookWithin(0);
  }

  /** Resolves when nothing is being taken back any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#looking;
  }

  #lookWithin(milliseconds: number): void {
    if (this.#stopped) return;
    // The sooner of two looks stays: one that found nothing must not put off the next, which was asked for meanwhile.
    const at = performance.now() + milliseconds;
    if (this.#timer !== null && this.#nextLookAt <= at) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#nextLookAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#looking = this.#looking.then(() => this.#look());
    }, milliseconds);
  }

  async #look(): Promise<void> {
    if (this.#stopped) return;
    const { clock, logger } = this.#parts;
    try {
      // One moment for both questions: what falls due between two would be in the answer to neither.
      const now = clock.now().getTime();
      for (const pending of await this.#store.due(now, BATCH)) await this.#revert(pending);
      const next = await this.#store.nextAfter(now);
      const wait = next === null ? LOOK_MS : Math.min(next - clock.now().getTime(), LOOK_WHILE_PENDING_MS);
      this.#lookWithin(Math.max(wait, 0));
    } catch (error) {
      logger.error({ err: error }, 'cannot see which changes are to be taken back; trying again');
      this.#lookWithin(AFTER_FAILURE_MS);
    }
  }

  async #revert(pending: Awaited<ReturnType<RevertStore['due']>>[number]): Promise<void> {
    const { accountId, mode } = pending;
    const { writer, logger } = this.#parts;
    try {
      const reverted = await writer.revert(pending);
      if (reverted)
        logger.warn({ accountId, mode }, 'a change of an endpoint was not confirmed in time and was taken back');
    } catch (error) {
      // The others must not wait for this one; the next look tries again.
      logger.error({ err: error, accountId }, 'a change that was not confirmed could not be taken back; trying again');
    }
  }
}
