import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { type AccountBirths, accountOfOwner } from './account-births.ts';
import type { BlobStorage } from './blob-storage.ts';
import type { BlobStore } from './blob-store.ts';
import type { LogArchiver } from './log-archiver.ts';
import type { StreamStore } from './stream-store.ts';

const SWEEP_EVERY_MS = 10 * 60_000;
/** An object on its way for longer than this was left behind by a crash. */
const WRITING_FOR_MS = 2 * 3_600_000;
const BATCH = 200;
const DAY_MS = 86_400_000;

export interface RetentionLimits {
  /** Days that a blob is kept; 0: for ever. */
  readonly days: number;
  /** Bytes that an account's logs may take: its blobs compressed, the lines of its open streams as they are; 0: any. */
  readonly bytes: number;
}

export interface LogRetentionParts {
  readonly streams: StreamStore;
  readonly archiver: LogArchiver;
  readonly blobs: BlobStore;
  readonly storage: BlobStorage;
  readonly births: AccountBirths;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: RetentionLimits;
}

/** Deletes logs that are too old, too many for their account, or of an account that is no more; and objects of nobody. */
export class LogRetention {
  readonly #parts: LogRetentionParts;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | null = null;

  constructor(parts: LogRetentionParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.sweep(), SWEEP_EVERY_MS);
  }

  /** Never rejects: what fails is logged, and the next sweep tries again. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = null;
    });
    return this.#sweeping;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    for (const step of [this.#orphans, this.#old, this.#many, this.#garbage]) {
      try {
        await step.call(this);
      } catch (error) {
        this.#parts.logger.error({ err: error }, 'old logs were not all deleted; trying again');
      }
    }
  }

  async #orphans(): Promise<void> {
    const { streams, blobs, births } = this.#parts;
    for (const owner of new Set([...(await streams.owners()), ...(await blobs.owners())])) {
      const { accountId, createdAt } = accountOfOwner(owner);
      if ((await births.of(accountId)) === createdAt) continue;
      await streams.deleteOwner(owner);
      await blobs.deleteOwner(owner);
    }
  }

  async #old(): Promise<void> {
    const { blobs, clock, limits, logger } = this.#parts;
    if (limits.days === 0) return;
    const deleted = await blobs.deleteOlder(clock.now().getTime() - limits.days * DAY_MS);
    if (deleted > 0) logger.info({ deleted }, `logs of more than ${limits.days} days were deleted`);
  }

  async #many(): Promise<void> {
    const { streams, blobs, limits, logger } = this.#parts;
    if (limits.bytes === 0) return;
    const [stored, held] = [await blobs.totals(), await streams.held()];
    for (const owner of new Set([...stored.keys(), ...held.keys()])) {
      const total = (stored.get(owner) ?? 0) + (held.get(owner) ?? 0);
      if (total <= limits.bytes) continue;
      const deleted = await this.#deleteOldest(owner, total - limits.bytes);
      const closed = deleted.bytes < total - limits.bytes ? await this.#closeOldest(owner) : 0;
      logger.info(
        { accountId: accountOfOwner(owner).accountId, deleted: deleted.logs, closed },
        `the account's oldest logs were deleted: it had more than ${limits.bytes} bytes`,
      );
    }
  }

  /** Deletes the owner's oldest blobs until that many bytes are free, or none is left. */
  async #deleteOldest(owner: string, excess: number): Promise<{ logs: number; bytes: number }> {
    const { blobs } = this.#parts;
    const deleted = { logs: 0, bytes: 0 };
    while (deleted.bytes < excess) {
      const oldest = await blobs.oldest(owner, BATCH);
      if (oldest.length === 0) break;
      for (const blob of oldest) {
        if (deleted.bytes >= excess) break;
        await blobs.delete(owner, blob.key);
        deleted.bytes += blob.stored;
        deleted.logs += 1;
      }
    }
    return deleted;
  }

  /**
   * The owner's open streams alone are too much: they are closed, the one first that was written to least lately, until
   * what they and their blobs take is not; a blob that is too much by itself goes again. Resolves with how many.
   */
  async #closeOldest(owner: string): Promise<number> {
    const { streams, blobs, archiver, limits } = this.#parts;
    let closed = 0;
    for (const stream of await streams.leastLately(owner, BATCH)) {
      const [held, stored] = [(await streams.held()).get(owner) ?? 0, (await blobs.totals()).get(owner) ?? 0];
      if (held + stored <= limits.bytes) break;
      if (stored > 0) await this.#deleteOldest(owner, held + stored - limits.bytes);
      if (held <= limits.bytes) break;
      await archiver.retire(stream);
      closed += 1;
    }
    const left = ((await streams.held()).get(owner) ?? 0) + ((await blobs.totals()).get(owner) ?? 0);
    if (left > limits.bytes) await this.#deleteOldest(owner, left - limits.bytes);
    return closed;
  }

  async #garbage(): Promise<void> {
    const { blobs, storage, clock } = this.#parts;
    for (;;) {
      const names = await blobs.garbage(clock.now().getTime() - WRITING_FOR_MS, BATCH);
      for (const name of names) {
        await storage.delete(name);
        await blobs.forget(name);
      }
      if (names.length < BATCH) return;
    }
  }
}
