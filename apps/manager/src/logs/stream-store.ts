import { randomUUID } from 'node:crypto';
import { LOG_LINGER_MS, LOG_STREAM_TTL_MS, SallyportError } from '@sallyport/protocol';
import type { Kysely, Selectable } from 'kysely';
import type { LogStreamRow } from '../database/log-rows.ts';
import type { Schema } from '../database/schema.ts';
import { type LogKey, storedKey } from './log-key.ts';
import { putPositions, readPositions } from './writer-positions.ts';

export interface LogStream {
  readonly id: string;
  readonly owner: string;
  readonly key: LogKey;
  readonly state: LogStreamRow['state'];
  /** Sequence numbers: of its first line ever, of the first that is kept, of the next. */
  readonly base: number;
  readonly first: number;
  readonly next: number;
  /** Its blob begins with the one that ends where this stream begins. */
  readonly continues: boolean;
  readonly openedAt: number;
  readonly writtenAt: number;
}

export type EndedStream = Pick<LogStreamRow, 'id' | 'state'>;

/** What a key's log begins after, when it goes on with an earlier one that is a blob by now. */
export interface Earlier {
  readonly next: number;
  readonly writers: Readonly<Record<string, number>>;
}

/**
 * Of one account; twenty delegates have so many at their most. Each is a row and may hold lines for hours: without a bound, a
 * single log token fills the database with keys that it makes up.
 */
const MAX_OPEN_STREAMS = 10_000;

/** The streams themselves, from their opening until they are forgotten; their lines are in LineStore. */
export class StreamStore {
  readonly #database: Kysely<Schema>;
  readonly #maxOpen: number;

  constructor(database: Kysely<Schema>, maxOpen = MAX_OPEN_STREAMS) {
    this.#database = database;
    this.#maxOpen = maxOpen;
  }

  /**
   * Opens a stream. Sequence numbers count on from whatever is known of the key: its former streams, and `blob`. An open
   * stream of the key is replaced: its lines go, and its id is returned. With `continues`, an open stream stays as it is, and
   * the log of one that was closed goes on. Throws TOO_MANY_REQUESTS when the owner has as many open as one may have.
   */
  async open(
    owner: string,
    key: LogKey,
    now: number,
    options: { readonly continues: boolean; readonly blob: Earlier | null } = { continues: false, blob: null },
  ): Promise<string | null> {
    const { blob } = options;
    return this.#database.transaction().execute(async (transaction) => {
      const former = await transaction
        .selectFrom('log_streams')
        .select(['id', 'state', 'next_seq'])
        .where('owner', '=', owner)
        .where('key', '=', key.bytes)
        .orderBy('next_seq', 'desc')
        .execute();
      const open = former.find(({ state }) => state === 'open');
      if (open !== undefined && options.continues) return null;
      if (open === undefined && (await countOpen(transaction, owner)) >= this.#maxOpen) {
        throw new SallyportError(
          'TOO_MANY_REQUESTS',
          `the account has ${this.#maxOpen} open log streams, the most that one may have: close some that are done with`,
        );
      }
      if (open !== undefined) await transaction.deleteFrom('log_streams').where('id', '=', open.id).execute();
      const last = former[0];
      const base = Math.max(last?.next_seq ?? 1, blob?.next ?? 1);
      const id = randomUUID();
      await transaction
        .insertInto('log_streams')
        .values({
          ...{ id, owner, key: key.bytes, state: 'open' },
          ...{ base_seq: base, first_seq: base, next_seq: base, bytes: 0 },
          ...{ continues: options.continues ? 1 : 0, opened_at: now, written_at: now, closed_at: null },
        })
        .execute();
      if (options.continues) {
        const known = last === undefined ? {} : await readPositions(transaction, last.id);
        await putPositions(transaction, id, { ...blob?.writers, ...known });
      }
      return open?.id ?? null;
    });
  }

  /** The open stream of the key; without one, and if `lingering`, the one that was closed last. */
  async find(owner: string, key: LogKey, lingering = false): Promise<LogStream | null> {
    const rows = await this.#database
      .selectFrom('log_streams')
      .selectAll()
      .where('owner', '=', owner)
      .where('key', '=', key.bytes)
      .orderBy('opened_at', 'desc')
      .orderBy('base_seq', 'desc')
      .execute();
    const row = rows.find(({ state }) => state === 'open') ?? (lingering ? rows[0] : undefined);
    return row === undefined ? null : toStream(row);
  }

  async byId(id: string): Promise<LogStream | null> {
    const row = await this.#database.selectFrom('log_streams').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? null : toStream(row);
  }

  async byIds(ids: readonly string[]): Promise<LogStream[]> {
    if (ids.length === 0) return [];
    const rows = await this.#database.selectFrom('log_streams').selectAll().where('id', 'in', ids).execute();
    return rows.map(toStream);
  }

  /** Streams in that state whose key starts with the prefix, at most `limit`, in the order of their keys. */
  async below(owner: string, prefix: LogKey, state: 'open' | 'closing', limit: number): Promise<LogStream[]> {
    let query = this.#database
      .selectFrom('log_streams')
      .selectAll()
      .where('owner', '=', owner)
      .where('state', '=', state)
      .where('key', '>=', prefix.bytes);
    const after = prefix.afterAll();
    if (after !== null) query = query.where('key', '<', after);
    return (await query.orderBy('key').limit(limit).execute()).map(toStream);
  }

  /**
   * Forgets the key's streams that have ended, with their lines, and returns them. One that is on its way into a blob does not
   * become one any more: whoever stores it finds it gone.
   */
  async deleteEnded(owner: string, key: LogKey): Promise<EndedStream[]> {
    return this.#database
      .deleteFrom('log_streams')
      .where('owner', '=', owner)
      .where('key', '=', key.bytes)
      .where('state', '<>', 'open')
      .returning(['id', 'state'])
      .execute();
  }

  /** As `deleteEnded`, for every key that starts with the prefix. */
  async deleteEndedBelow(owner: string, prefix: LogKey): Promise<EndedStream[]> {
    let query = this.#database
      .deleteFrom('log_streams')
      .where('owner', '=', owner)
      .where('state', '<>', 'open')
      .where('key', '>=', prefix.bytes);
    const after = prefix.afterAll();
    if (after !== null) query = query.where('key', '<', after);
    return query.returning(['id', 'state']).execute();
  }

  /** Ends an open stream; false when it is not open any more. From here on no line is added. */
  async close(id: string, now: number): Promise<boolean> {
    return this.#move(id, 'open', { state: 'closing', closed_at: now });
  }

  /** Opens a stream that was being closed again, unless its key was opened anew in the meantime. */
  async reopen(id: string): Promise<boolean> {
    return this.#move(id, 'closing', { state: 'open', closed_at: null });
  }

  /** Its lines are in a blob, or need not be. */
  async finish(id: string): Promise<boolean> {
    return this.#move(id, 'closing', { state: 'closed' });
  }

  async #move(
    id: string,
    from: LogStreamRow['state'],
    to: { state: LogStreamRow['state']; closed_at?: number | null },
  ): Promise<boolean> {
    const result = await this.#database
      .updateTable('log_streams')
      .set(to)
      .where('id', '=', id)
      .where('state', '=', from)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /** Streams that nobody wrote to for the time that an open one has. */
  async idle(now: number, limit: number): Promise<LogStream[]> {
    const rows = await this.#database
      .selectFrom('log_streams')
      .selectAll()
      .where('state', '=', 'open')
      .where('written_at', '<', now - LOG_STREAM_TTL_MS)
      .limit(limit)
      .execute();
    return rows.map(toStream);
  }

  /**
   * Streams of the key with lines that were closed, are not known to be in a blob, and end where this one begins or before.
   * Empty ones, this one too perhaps, begin where they end, and would wait for each other.
   */
  async unfinishedBefore({ owner, key, base }: LogStream): Promise<LogStream[]> {
    const rows = await this.#database
      .selectFrom('log_streams')
      .selectAll()
      .where('owner', '=', owner)
      .where('key', '=', key.bytes)
      .where('state', '=', 'closing')
      .whereRef('next_seq', '>', 'base_seq')
      .where('next_seq', '<=', base)
      .orderBy('base_seq')
      .execute();
    return rows.map(toStream);
  }

  /** Streams that were closed before `before` and are not known to be in a blob. */
  async unfinished(before: number, limit: number): Promise<LogStream[]> {
    const rows = await this.#database
      .selectFrom('log_streams')
      .selectAll()
      .where('state', '=', 'closing')
      .where('closed_at', '<=', before)
      .orderBy('closed_at')
      .limit(limit)
      .execute();
    return rows.map(toStream);
  }

  /** Forgets streams whose late readers have had their time. */
  async deleteLingered(now: number): Promise<void> {
    await this.#database
      .deleteFrom('log_streams')
      .where('state', '=', 'closed')
      .where('closed_at', '<', now - LOG_LINGER_MS)
      .execute();
  }

  async owners(): Promise<string[]> {
    const rows = await this.#database.selectFrom('log_streams').select('owner').distinct().execute();
    return rows.map(({ owner }) => owner);
  }

  async deleteOwner(owner: string): Promise<void> {
    await this.#database.deleteFrom('log_streams').where('owner', '=', owner).execute();
  }

  /** Throws when the database cannot be written to. */
  async check(): Promise<void> {
    await this.#database.deleteFrom('log_streams').where('id', '=', '').execute();
  }

  async countOpen(): Promise<number> {
    return countOpen(this.#database);
  }

  /** Bytes of the lines that are in no blob yet, of each owner. */
  async held(): Promise<Map<string, number>> {
    const rows = await this.#database
      .selectFrom('log_streams')
      .select(({ fn }) => ['owner', fn.sum<number | string>('bytes').as('total')])
      .where('state', '<>', 'closed')
      .groupBy('owner')
      .execute();
    return new Map(rows.map(({ owner, total }) => [owner, Number(total)]));
  }

  /** The owner's open streams with lines, those first that nobody has written to for the longest time. */
  async leastLately(owner: string, limit: number): Promise<LogStream[]> {
    const rows = await this.#database
      .selectFrom('log_streams')
      .selectAll()
      .where('owner', '=', owner)
      .where('state', '=', 'open')
      .where('bytes', '>', 0)
      .orderBy('written_at')
      .limit(limit)
      .execute();
    return rows.map(toStream);
  }
}

async function countOpen(database: Kysely<Schema>, owner?: string): Promise<number> {
  let query = database
    .selectFrom('log_streams')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('state', '=', 'open');
  if (owner !== undefined) query = query.where('owner', '=', owner);
  return Number((await query.executeTakeFirstOrThrow()).count);
}

function toStream(row: Selectable<LogStreamRow>): LogStream {
  return {
    id: row.id,
    owner: row.owner,
    key: storedKey(row.key),
    state: row.state,
    base: row.base_seq,
    first: row.first_seq,
    next: row.next_seq,
    continues: row.continues === 1,
    openedAt: row.opened_at,
    writtenAt: row.written_at,
  };
}
