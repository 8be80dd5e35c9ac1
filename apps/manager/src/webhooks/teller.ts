import type { WebhookEventType } from '@sallyport/protocol';
import type { Kysely, Transaction } from 'kysely';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import type { Outbox } from './outbox.ts';

/** Something that can come in any number, and is told of in bundles. What there is to tell is in the database. */
export interface News {
  readonly type: WebhookEventType;
  /** Accounts with something to tell, some at a time, but those that were told of it just now. */
  waiting(database: Kysely<Schema>, now: number, justTold: JustTold): Promise<readonly string[]>;
  /** What there is to tell, which counts as told with the transaction; null when there is nothing after all. */
  take(
    transaction: Transaction<Schema>,
    accountId: string,
    now: number,
  ): Promise<Readonly<Record<string, unknown>> | null>;
  /** Forgets what is of no more use. */
  tidy?(database: Kysely<Schema>, now: number): Promise<void>;
}

/** A query of the accounts that an event of a type was made for within the last minute. */
export type JustTold = ReturnType<typeof justTold>;

/** Accounts that one look serves for one type. */
export const ACCOUNTS_AT_ONCE = 200;

export interface TellerParts {
  readonly database: Kysely<Schema>;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly news: readonly News[];
}

const LOOK_EVERY_MS = 5_000;
const TIDY_EVERY_MS = 3_600_000;
/**
 * Between two events of one type to one account. Whoever knows an endpoint's name can be refused by it as often as they
 * like: the first refusal is told at once, those of the next minute in one event.
 */
export const BUNDLE_MS = 60_000;

/** Turns what has come up since the last time into one event an account. Every replica looks, one of them tells. */
export class Teller {
  readonly #parts: TellerParts;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> = Promise.resolve();
  #tidyAt = 0;

  constructor(parts: TellerParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  /** Resolves when nothing is being told any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Never rejects: what fails is logged, and told at a later look. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { database, clock, logger, news } = this.#parts;
    const isTidying = clock.now().getTime() >= this.#tidyAt;
    if (isTidying) this.#tidyAt = clock.now().getTime() + TIDY_EVERY_MS;
    for (const each of news) {
      try {
        const now = clock.now().getTime();
        const accounts = await each.waiting(database, now, justTold(database, each.type, now));
        for (const accountId of accounts) {
          await this.#tell(each, accountId, now).catch((error: unknown) => {
            // The other accounts' news do not wait for this one's.
            logger.error({ err: error, event: each.type, accountId }, 'news could not be told; trying again');
          });
        }
        if (isTidying) await each.tidy?.(database, now);
      } catch (error) {
        logger.error({ err: error, event: each.type }, 'the news for webhooks could not be told; trying again');
      }
    }
  }

  async #tell(news: News, accountId: string, now: number): Promise<void> {
    const { database, outbox } = this.#parts;
    await database.transaction().execute(async (transaction) => {
      if (!(await takeTurn(transaction, accountId, news.type, now))) return;
      const data = await news.take(transaction, accountId, now);
      if (data !== null) await outbox.put(transaction, { accountId, type: news.type, at: now, data });
    });
  }
}

function justTold(database: Kysely<Schema>, type: WebhookEventType, now: number) {
  return database
    .selectFrom('webhook_turns')
    .select('webhook_turns.account_id')
    .where('event_type', '=', type)
    .where('at', '>', now - BUNDLE_MS);
}

/** True for one replica, and for the others not before the time is over. */
async function takeTurn(
  transaction: Transaction<Schema>,
  accountId: string,
  type: WebhookEventType,
  now: number,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows = 0n } = await transaction
    .insertInto('webhook_turns')
    .values({ account_id: accountId, event_type: type, at: now })
    .onConflict((conflict) =>
      conflict
        .columns(['account_id', 'event_type'])
        .doUpdateSet({ at: now })
        .where('webhook_turns.at', '<=', now - BUNDLE_MS),
    )
    .executeTakeFirst();
  return numInsertedOrUpdatedRows > 0n;
}
