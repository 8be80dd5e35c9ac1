import { randomUUID } from 'node:crypto';
import { LOG_LINGER_MS, LOG_STREAM_TTL_MS, MAX_LOG_STREAM_BYTES, MAX_LOG_STREAM_LINES } from '@sallyport/protocol';
import { type Kysely, type Selectable, sql } from 'kysely';
import type { LogStreamRow } from '../database/log-rows.ts';
import type { Schema } from '../database/schema.ts';
import { type LogKey, storedKey } from './log-key.ts';

export interface LogStream {
  readonly id: string;
  readonly owner: string;
  readonly key: LogKey;
  readonly state: LogStreamRow['state'];
  /** Sequence numbers: of its first line ever, of the first that is kept, of the next. */
  readonly base: number;
  readonly first: number;
  readonly next: number;
  readonly openedAt: number;
  readonly writtenAt: number;
}

/** Lines that follow each other, as NDJSON: one JSON text a line, each with its newline. */
export interface Chunk {
  readonly lines: number;
  readonly body: Buffer;
}

export interface StoredChunk extends Chunk {
  readonly first: number;
}

export interface Append {
  readonly owner: string;
  readonly key: LogKey;
  readonly chunks: readonly Chunk[];
}

/** Where an append's lines came to stand. */
export interface Appended {
  readonly streamId: string;
  readonly first: number;
}

export interface StreamBounds {
  readonly lines: number;
  readonly bytes: number;
}

const DEFAULT_BOUNDS: StreamBounds = { lines: MAX_LOG_STREAM_LINES, bytes: MAX_LOG_STREAM_BYTES };
/** Old lines go when there are this many times too many, so that not every write deletes some. */
const SLACK = 1.1;
/** Rows of one read: a turn of the event loop is never longer for a longer stream. */
const CHUNKS_A_READ = 64;

/** Streams and their lines. What a method acknowledges by resolving is committed. */
export class LineStore {
  readonly #database: Kysely<Schema>;
  readonly #bounds: StreamBounds;
  /** How often lines were read, for the tests that count it. */
  reads = 0;

  constructor(database: Kysely<Schema>, bounds: StreamBounds = DEFAULT_BOUNDS) {
    this.#database = database;
    this.#bounds = bounds;
  }

  /** An open stream of that key is replaced: its lines go. Sequence numbers count on from it. Returns the replaced one's id. */
  async open(owner: string, key: LogKey, now: number): Promise<string | null> {
    return this.#database.transaction().execute(async (transaction) => {
      const former = await transaction
        .selectFrom('log_streams')
        .select(['id', 'state', 'next_seq'])
        .where('owner', '=', owner)
        .where('key', '=', key.bytes)
        .execute();
      const replaced = former.find(({ state }) => state === 'open');
      if (replaced !== undefined) await transaction.deleteFrom('log_streams').where('id', '=', replaced.id).execute();
      const base = former.reduce((highest, { next_seq }) => Math.max(highest, next_seq), 1);
      await transaction
        .insertInto('log_streams')
        .values({
          ...{ id: randomUUID(), owner, key: key.bytes, state: 'open' },
          ...{ base_seq: base, first_seq: base, next_seq: base, bytes: 0 },
          ...{ opened_at: now, written_at: now, closed_at: null },
        })
        .execute();
      return replaced?.id ?? null;
    });
  }

  /**
   * Writes all of it in one transaction; null for each whose stream is not open. The rows of the streams are taken in the order
   * of their owner and key: replicas that write to the same ones never wait for each other in a circle.
   */
  async append(appends: readonly Append[], now: number): Promise<(Appended | null)[]> {
    const ordered = [...appends.keys()].sort((a, b) => compare(appends[a], appends[b]));
    const results: (Appended | null)[] = appends.map(() => null);
    await this.#database.transaction().execute(async (transaction) => {
      for (const index of ordered) {
        const append = appends[index];
        if (append !== undefined) results[index] = await this.#appendOne(transaction, append, now);
      }
    });
    return results;
  }

  async #appendOne(transaction: Kysely<Schema>, { owner, key, chunks }: Append, now: number): Promise<Appended | null> {
    const lines = chunks.reduce((sum, chunk) => sum + chunk.lines, 0);
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.body.length, 0);
    const row = await transaction
      .updateTable('log_streams')
      .set((update) => ({
        next_seq: update('next_seq', '+', lines),
        bytes: update('bytes', '+', bytes),
        written_at: now,
      }))
      .where('owner', '=', owner)
      .where('key', '=', key.bytes)
      .where('state', '=', 'open')
      .returning(['id', 'first_seq', 'next_seq', 'bytes'])
      .executeTakeFirst();
    if (row === undefined) return null;
    const first = row.next_seq - lines;
    let seq = first;
    const rows = chunks.map((chunk) => {
      const chunkRow = {
        stream_id: row.id,
        first_seq: seq,
        lines: chunk.lines,
        size: chunk.body.length,
        body: chunk.body,
      };
      seq += chunk.lines;
      return chunkRow;
    });
    if (rows.length > 0) await transaction.insertInto('log_chunks').values(rows).execute();
    if (row.next_seq - row.first_seq > this.#bounds.lines * SLACK || row.bytes > this.#bounds.bytes * SLACK) {
      await this.#trim(transaction, row);
    }
    return { streamId: row.id, first };
  }

  /** Drops the oldest chunks until the stream is within its bounds; the newest chunk stays whatever its size. */
  async #trim(
    transaction: Kysely<Schema>,
    row: Pick<Selectable<LogStreamRow>, 'id' | 'first_seq' | 'next_seq' | 'bytes'>,
  ): Promise<void> {
    const chunks = await transaction
      .selectFrom('log_chunks')
      .select(['first_seq', 'lines', 'size'])
      .where('stream_id', '=', row.id)
      .orderBy('first_seq')
      .execute();
    let { first_seq: first, bytes } = row;
    for (const chunk of chunks.slice(0, -1)) {
      if (row.next_seq - first <= this.#bounds.lines && bytes <= this.#bounds.bytes) break;
      first = chunk.first_seq + chunk.lines;
      bytes -= chunk.size;
    }
    await transaction.deleteFrom('log_chunks').where('stream_id', '=', row.id).where('first_seq', '<', first).execute();
    await transaction.updateTable('log_streams').set({ first_seq: first, bytes }).where('id', '=', row.id).execute();
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

  /** Open streams whose key starts with the prefix, at most `limit`, in the order of their keys. */
  async openBelow(owner: string, prefix: LogKey, limit: number): Promise<LogStream[]> {
    let query = this.#database
      .selectFrom('log_streams')
      .selectAll()
      .where('owner', '=', owner)
      .where('state', '=', 'open')
      .where('key', '>=', prefix.bytes);
    const after = prefix.afterAll();
    if (after !== null) query = query.where('key', '<', after);
    return (await query.orderBy('key').limit(limit).execute()).map(toStream);
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

  /** The lines from `seq` on, as they are stored: the first chunk may begin before it. In pages; the reader may stop. */
  async *read(id: string, seq: number): AsyncGenerator<readonly StoredChunk[]> {
    this.reads += 1;
    let from = seq;
    for (;;) {
      const rows = await this.#database
        .selectFrom('log_chunks')
        .select(['first_seq', 'lines', 'body'])
        .where('stream_id', '=', id)
        .where(sql<number>`first_seq + lines`, '>', from)
        .orderBy('first_seq')
        .limit(CHUNKS_A_READ)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) return;
      yield rows.map(({ first_seq, lines, body }) => ({
        first: first_seq,
        lines,
        body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
      }));
      if (rows.length < CHUNKS_A_READ) return;
      from = last.first_seq + last.lines;
    }
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
    const { count } = await this.#database
      .selectFrom('log_streams')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('state', '=', 'open')
      .executeTakeFirstOrThrow();
    return Number(count);
  }
}

function compare(a: Append | undefined, b: Append | undefined): number {
  if (a === undefined || b === undefined) return 0;
  if (a.owner !== b.owner) return a.owner < b.owner ? -1 : 1;
  return Buffer.compare(a.key.bytes, b.key.bytes);
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
    openedAt: row.opened_at,
    writtenAt: row.written_at,
  };
}
