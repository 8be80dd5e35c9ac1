import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { type AccountBirths, accountOfOwner } from './account-births.ts';
import type { BlobStorage } from './blob-storage.ts';
import type { BlobStore } from './blob-store.ts';
import type { StreamStore } from './stream-store.ts';

const SWEEP_EVERY_MS = 10 * 60_000;
/** An object on its way for longer than this was left behind by a crash. */
const WRITING_FOR_MS = 2 * 3_600_000;
const BATCH = 200;
const DAY_MS = 86_400_000;

export interface RetentionLimits {
  /** Days that a blob is kept; 0: for ever. */
  readonly days: number;
  /** Bytes of the storage that an account's blobs may take; 0: any. */
  readonly bytes: number;
}

export interface LogRetentionParts {
  readonly streams: StreamStore;
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
    const { blobs, limits, logger } = this.#parts;
    if (limits.bytes === 0) return;
    for (const { owner, stored } of await blobs.over(limits.bytes)) {
      let left = stored;
      let deleted = 0;
      while (left > limits.bytes) {
        const oldest = await blobs.oldest(owner, BATCH);
        if (oldest.length === 0) break;
        for (const blob of oldest) {
          if (left <= limits.bytes) break;
          await blobs.delete(owner, blob.key);
          left -= blob.stored;
          deleted += 1;
        }
      }
      const { accountId } = accountOfOwner(owner);
      logger.info(
        { accountId, deleted },
        `the account's oldest logs were deleted: it had more than ${limits.bytes} bytes`,
      );
    }
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
