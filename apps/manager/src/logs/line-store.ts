import { MAX_LOG_KEPT_BYTES } from '@sallyport/protocol';
import type { Kysely, Selectable } from 'kysely';
import type { LogStreamRow } from '../database/log-rows.ts';
import type { Schema } from '../database/schema.ts';
import type { Chunk, StoredChunk } from './log-chunk.ts';
import type { LogKey } from './log-key.ts';
import type { LogStream } from './stream-store.ts';
import { advancePosition, freshOf, type Positions, readPositions } from './writer-positions.ts';

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

/** Old lines go when there are so many bytes too many, so that not every write deletes some. */
const MOST_SLACK_BYTES = 1_048_576;
/** Of one read: a turn of the event loop is never longer for a longer stream. */
const READ_BYTES = 1_048_576;
const READ_CHUNKS = 1_000;

/** The lines of streams. What a method acknowledges by resolving is committed. */
export class LineStore {
  readonly #database: Kysely<Schema>;
  readonly #maxBytes: number;
  /** How often lines were read, for the tests that count it. */
  reads = 0;

  /** `maxBytes`: of the lines of one stream; of more, the oldest are dropped. */
  constructor(database: Kysely<Schema>, maxBytes = MAX_LOG_KEPT_BYTES) {
    this.#database = database;
    this.#maxBytes = maxBytes;
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
      const known = positions === null ? null : await advancePosition(transaction, row.id, positions);
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
    return readPositions(this.#database, id);
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
