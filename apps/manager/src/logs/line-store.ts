import { randomUUID } from 'node:crypto';
import { LOG_LINGER_MS, LOG_STREAM_TTL_MS, MAX_LOG_KEPT_BYTES } from '@sallyport/protocol';
import type { Kysely, Selectable } from 'kysely';
import type { LogStreamRow } from '../database/log-rows.ts';
import type { Schema } from '../database/schema.ts';
import { type LogKey, storedKey } from './log-key.ts';
import { freshOf, type Positions, WriterPositions } from './writer-positions.ts';

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

/** Lines that follow each other, as NDJSON: one JSON text a line, each with its newline. */
export interface Chunk {
  readonly lines: number;
  readonly body: Buffer;
}

export interface StoredChunk extends Chunk {
  readonly first: number;
}

export interface Write {
  readonly chunks: readonly Chunk[];
  /** Of a writer that numbers its lines: what is stored of them already is left out. Null: all are taken. */
  readonly positions: Positions | null;
}

export interface Append {
  readonly owner: string;
  readonly key: LogKey;
  readonly writes: readonly Write[];
}

/** What was added, and where it came to stand. */
export interface Appended {
  readonly streamId: string;
  readonly first: number;
  readonly chunks: readonly Chunk[];
}

export interface StreamBounds {
  readonly lines: number;
  readonly bytes: number;
}

/** What a key's log begins after, when it goes on with an earlier one that is a blob by now. */
export interface Earlier {
  readonly next: number;
  readonly writers: Readonly<Record<string, number>>;
}

/** Old lines go when there are so many bytes too many, so that not every write deletes some. */
const MOST_SLACK_BYTES = 1_048_576;
/** Of one read: a turn of the event loop is never longer for a longer stream. */
const READ_BYTES = 1_048_576;
const READ_CHUNKS = 1_000;

/** Streams and their lines. What a method acknowledges by resolving is committed. */
export class LineStore {
  readonly #database: Kysely<Schema>;
  readonly #maxBytes: number;
  readonly #positions = new WriterPositions();
  /** How often lines were read, for the tests that count it. */
  reads = 0;

  /** `maxBytes`: of the lines of one stream; of more, the oldest are dropped. */
  constructor(database: Kysely<Schema>, maxBytes = MAX_LOG_KEPT_BYTES) {
    this.#database = database;
    this.#maxBytes = maxBytes;
  }

  /**
   * Opens a stream. Sequence numbers count on from whatever is known of the key: its former streams, and `blob`. An open
   * stream of the key is replaced: its lines go, and its id is returned. With `continues`, an open stream stays as it is, and
   * the log of one that was closed goes on.
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
        const known = last === undefined ? {} : await this.#positions.all(transaction, last.id);
        await this.#positions.put(transaction, id, { ...blob?.writers, ...known });
      }
      return open?.id ?? null;
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

  async #appendOne(transaction: Kysely<Schema>, { owner, key, writes }: Append, now: number): Promise<Appended | null> {
    const sent = writes.flatMap((write) => write.chunks);
    // Takes the row of the stream, so that its writers' positions change for one write at a time.
    const row = await this.#grow(transaction, { owner, key }, totalOf(sent), now);
    if (row === undefined) return null;
    const chunks: Chunk[] = [];
    for (const { positions, chunks: own } of writes) {
      const known = positions === null ? null : await this.#positions.advance(transaction, row.id, positions);
      chunks.push(...(positions === null || known === null ? own : freshOf(own, positions, known)));
    }
    const [total, added] = [totalOf(sent), totalOf(chunks)];
    if (added.lines < total.lines) {
      const less = { lines: added.lines - total.lines, bytes: added.bytes - total.bytes };
      await this.#grow(transaction, { owner, key }, less, now);
      row.next_seq += less.lines;
      row.bytes += less.bytes;
    }
    const first = row.next_seq - added.lines;
    let seq = first;
    const rows = chunks.map(({ lines, body }) => {
      const chunkRow = { stream_id: row.id, first_seq: seq, lines, size: body.length, body };
      seq += lines;
      return chunkRow;
    });
    if (rows.length > 0) await transaction.insertInto('log_chunks').values(rows).execute();
    const slack = Math.min(this.#maxBytes / 10, MOST_SLACK_BYTES);
    if (row.bytes > this.#maxBytes + slack) await this.#trim(transaction, row);
    return { streamId: row.id, first, chunks };
  }

  #grow(
    transaction: Kysely<Schema>,
    { owner, key }: Pick<Append, 'owner' | 'key'>,
    { lines, bytes }: StreamBounds,
    now: number,
  ) {
    return transaction
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
  }

  /** Drops the oldest chunks until the stream is within its bounds; the newest chunk stays whatever its size. */
  async #trim(
    transaction: Kysely<Schema>,
    row: Pick<Selectable<LogStreamRow>, 'id' | 'first_seq' | 'next_seq' | 'bytes'>,
  ): Promise<void> {
    let { first_seq: first, bytes } = row;
    while (bytes > this.#maxBytes) {
      const chunks = await sizesFrom(transaction, row.id, first).execute();
      for (const chunk of chunks) {
        const after = chunk.first_seq + chunk.lines;
        if (bytes <= this.#maxBytes || after >= row.next_seq) break;
        first = after;
        bytes -= chunk.size;
      }
      if (chunks.length < READ_CHUNKS) break;
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
    for (let from = seq; ; ) {
      const chunks = await this.#page(id, from);
      const last = chunks.at(-1);
      if (last === undefined) return;
      yield chunks;
      from = last.first + last.lines;
    }
  }

  /** The first page of what `read` gives; empty when there is no such line yet. */
  async page(id: string, seq: number): Promise<readonly StoredChunk[]> {
    this.reads += 1;
    return this.#page(id, seq);
  }

  async #page(id: string, seq: number): Promise<readonly StoredChunk[]> {
    const { begin } = await this.#database
      .selectFrom('log_chunks')
      .select(({ fn }) => fn.max<number | null>('first_seq').as('begin'))
      .where('stream_id', '=', id)
      .where('first_seq', '<=', seq)
      .executeTakeFirstOrThrow();
    const sizes = await sizesFrom(this.#database, id, begin ?? seq).execute();
    const wanted = sizes.filter(({ first_seq, lines }) => first_seq + lines > seq);
    let bytes = 0;
    const past = wanted.findIndex(({ size }) => {
      bytes += size;
      return bytes > READ_BYTES;
    });
    const taken = past < 0 ? wanted : wanted.slice(0, Math.max(1, past));
    const [first, last] = [taken[0], taken.at(-1)];
    if (first === undefined || last === undefined) return [];
    const rows = await this.#database
      .selectFrom('log_chunks')
      .select(['first_seq', 'lines', 'body'])
      .where('stream_id', '=', id)
      .where('first_seq', '>=', first.first_seq)
      .where('first_seq', '<=', last.first_seq)
      .orderBy('first_seq')
      .execute();
    return rows.map(({ first_seq, lines, body }) => ({
      first: first_seq,
      lines,
      body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    }));
  }

  /** Where the newest lines within the bounds begin, about: at the beginning of a chunk. */
  async newest({ id, first, next }: LogStream, bounds: StreamBounds): Promise<number> {
    const chunks = await this.#database
      .selectFrom('log_chunks')
      .select(['first_seq', 'size'])
      .where('stream_id', '=', id)
      .orderBy('first_seq', 'desc')
      .limit(bounds.lines)
      .execute();
    let bytes = 0;
    let begin = next;
    for (const { first_seq, size } of chunks) {
      bytes += size;
      if (begin < next && (next - first_seq > bounds.lines * SLACK || bytes > bounds.bytes)) break;
      begin = first_seq;
    }
    return Math.max(first, begin);
  }

  /** What the stream has of the writers that number their lines. */
  async writersOf(id: string): Promise<Readonly<Record<string, number>>> {
    return this.#positions.all(this.#database, id);
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
    const { count } = await this.#database
      .selectFrom('log_streams')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('state', '=', 'open')
      .executeTakeFirstOrThrow();
    return Number(count);
  }
}

/** More than `bounds.lines` by this much is still about as many: chunks are not cut. */
const SLACK = 1.1;

function sizesFrom(database: Kysely<Schema>, id: string, seq: number) {
  return database
    .selectFrom('log_chunks')
    .select(['first_seq', 'lines', 'size'])
    .where('stream_id', '=', id)
    .where('first_seq', '>=', seq)
    .orderBy('first_seq')
    .limit(READ_CHUNKS);
}

function totalOf(chunks: readonly Chunk[]): StreamBounds {
  let [lines, bytes] = [0, 0];
  for (const chunk of chunks) {
    lines += chunk.lines;
    bytes += chunk.body.length;
  }
  return { lines, bytes };
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
    continues: row.continues === 1,
    openedAt: row.opened_at,
    writtenAt: row.written_at,
  };
}
