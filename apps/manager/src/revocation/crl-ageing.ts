import type { Kysely, Transaction } from 'kysely';
import type { Logger } from 'pino';
import { AuditStore } from '../audit/audit-store.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { type NoticeAt, nextNoticeAt, noticeReached } from './crl-notices.ts';
import { CrlParts } from './crl-parts.ts';
import { CrlStore, type StoredCrl } from './crl-store.ts';

export interface CrlAgeingParts {
  readonly database: Kysely<Schema>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Runs in the transaction that puts the notice on record; once for each share of each list, whichever replica sees it. */
  readonly onNotice: (transaction: Transaction<Schema>, notice: CrlNotice) => Promise<void>;
}

/** So much of a list's life has passed, and no newer one has come. */
export interface CrlNotice {
  readonly accountId: string;
  readonly issuer: string;
  /** Percent. */
  readonly lifePassed: NoticeAt;
  readonly nextUpdate: number;
  readonly at: number;
}

const LOOK_EVERY_MS = 60_000;
const MOST_AT_ONCE = 100;

/** Tells of CRLs that come to their end, at 50, 80 and 95 % of their life. */
export class CrlAgeing {
  readonly #parts: CrlAgeingParts;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: CrlAgeingParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  /** Resolves when nothing is being told any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Never rejects: what fails is logged, and seen again at the next look. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { database, clock, logger } = this.#parts;
    try {
      const now = clock.now();
      await new CrlParts(database).deleteForgotten(now.getTime());
      for (const crl of await new CrlStore(database).dueForNotice(now.getTime(), MOST_AT_ONCE))
        await this.#tell(crl, now);
    } catch (error) {
      logger.error({ err: error }, 'the age of CRLs could not be looked at; trying again');
    }
  }

  async #tell(crl: StoredCrl, now: Date): Promise<void> {
    const { database, logger, onNotice } = this.#parts;
    const { accountId, issuer, nextUpdate } = crl;
    const lifePassed = noticeReached(crl, now);
    const told = await database.transaction().execute(async (transaction) => {
      const next = nextNoticeAt(crl, lifePassed);
      if (!(await new CrlStore(transaction).takeNotice(crl, now.getTime(), next)) || lifePassed === null) return false;
      const notice = { accountId, issuer, lifePassed, nextUpdate: nextUpdate.getTime(), at: now.getTime() };
      await new AuditStore(transaction).append({
        ...{ accountId, at: now, actor: 'system', action: 'crl.ageing', subject: issuer },
        details: { lifePassed, nextUpdate },
      });
      await onNotice(transaction, notice);
      return true;
    });
    if (told) logger.warn({ accountId, issuer, nextUpdate }, `${lifePassed} % of the life of a CRL has passed`);
  }
}
