import { createHash, randomUUID } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import { isUniqueViolation } from '../database/database-error.ts';
import type { LogBlobRow } from '../database/log-rows.ts';
import type { Schema } from '../database/schema.ts';
import { type LogKey, storedKey } from './log-key.ts';
import type { Earlier } from './stream-store.ts';

export interface Blob {
  /** Where the storage has it. */
  readonly name: string;
  readonly owner: string;
  readonly key: LogKey;
  /** Before and after compression. */
  readonly size: number;
  readonly stored: number;
  readonly createdAt: number;
  /** Of the lines of a stream; null for what a client has uploaded. */
  readonly span: LineSpan | null;
}

/** Which lines a blob has: sequence numbers of its first row and after its last, and how far each numbering writer was. */
export interface LineSpan extends Earlier {
  readonly first: number;
}

/** A stream that was closed, and what a blob has of it. */
export interface ArchivedStream extends LineSpan {
  readonly streamId: string;
}

/**
 * Which object of the storage is the blob of which key. An object is written down before it is made and after it is
 * replaced, so that no crash leaves one that nobody knows of.
 */
export class BlobStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  /** The name of an object that is about to be made. */
  async begin(owner: string, key: LogKey, now: number): Promise<string> {
    const name = objectName(owner, key);
    await this.#database
      .insertInto('log_blobs')
      .values({ name, owner, key: key.bytes, state: 'writing', size: 0, stored: 0, created_at: now })
      .execute();
    return name;
  }

  /**
   * The object is there: it becomes the blob of its key. False when it does not, because it is empty and a blob that is not
   * empty is there: a client that repeats an upload whose body it has already read sends nothing the second time. Of a
   * stream, it becomes the blob in the moment in which the stream is done with; false when that was deleted meanwhile.
   */
  async finish(name: string, size: number, stored: number, source: ArchivedStream | null = null): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#finish(name, size, stored, source);
      } catch (error) {
        // Another replica finished one for the same key in the same moment.
        if (!isUniqueViolation(error) || attempt === 5) throw error;
      }
    }
  }

  #finish(name: string, size: number, stored: number, source: ArchivedStream | null): Promise<boolean> {
    return this.#database.transaction().execute(async (transaction) => {
      // Whoever deletes a log deletes its stream, and then its blob: between the two none may come out of the stream.
      if (source !== null && !(await finishStream(transaction, source.streamId))) {
        await transaction.updateTable('log_blobs').set({ state: 'garbage' }).where('name', '=', name).execute();
        return false;
      }
      const { owner, key } = await transaction
        .selectFrom('log_blobs')
        .select(['owner', 'key'])
        .where('name', '=', name)
        .executeTakeFirstOrThrow();
      const current = await transaction
        .selectFrom('log_blobs')
        .select(['name', 'size'])
        .where('owner', '=', owner)
        .where('key', '=', key)
        .where('state', '=', 'current')
        .executeTakeFirst();
      const keep = current !== undefined && current.size > 0 && size === 0;
      if (current !== undefined && !keep) {
        await transaction.updateTable('log_blobs').set({ state: 'garbage' }).where('name', '=', current.name).execute();
      }
      await transaction
        .updateTable('log_blobs')
        .set({
          ...{ state: keep ? 'garbage' : 'current', size, stored },
          ...(source !== null && {
            ...{ first_seq: source.first, next_seq: source.next, writers: JSON.stringify(source.writers) },
          }),
        })
        .where('name', '=', name)
        .execute();
      return !keep;
    });
  }

  /** An object that was begun and will not be finished. */
  async abandon(name: string): Promise<void> {
    await this.#database.updateTable('log_blobs').set({ state: 'garbage' }).where('name', '=', name).execute();
  }

  async find(owner: string, key: LogKey): Promise<Blob | null> {
    const row = await this.#database
      .selectFrom('log_blobs')
      .selectAll()
      .where('owner', '=', owner)
      .where('key', '=', key.bytes)
      .where('state', '=', 'current')
      .executeTakeFirst();
    return row === undefined ? null : toBlob(row);
  }

  /** Blobs whose key starts with the prefix, in the order of their keys. */
  async below(owner: string, prefix: LogKey, limit: number): Promise<Blob[]> {
    let query = this.#database
      .selectFrom('log_blobs')
      .selectAll()
      .where('owner', '=', owner)
      .where('state', '=', 'current')
      .where('key', '>=', prefix.bytes);
    const after = prefix.afterAll();
    if (after !== null) query = query.where('key', '<', after);
    return (await query.orderBy('key').limit(limit).execute()).map(toBlob);
  }

  /** False when there is none. From here on nobody finds it. */
  async delete(owner: string, key: LogKey): Promise<boolean> {
    const result = await this.#database
      .updateTable('log_blobs')
      .set({ state: 'garbage' })
      .where('owner', '=', owner)
      .where('key', '=', key.bytes)
      .where('state', '=', 'current')
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  async deleteBelow(owner: string, prefix: LogKey): Promise<void> {
    let query = this.#database
      .updateTable('log_blobs')
      .set({ state: 'garbage' })
      .where('owner', '=', owner)
      .where('state', '=', 'current')
      .where('key', '>=', prefix.bytes);
    const after = prefix.afterAll();
    if (after !== null) query = query.where('key', '<', after);
    await query.execute();
  }

  async deleteOwner(owner: string): Promise<void> {
    await this.#database.updateTable('log_blobs').set({ state: 'garbage' }).where('owner', '=', owner).execute();
  }

  async owners(): Promise<string[]> {
    const rows = await this.#database
      .selectFrom('log_blobs')
      .select('owner')
      .where('state', '=', 'current')
      .distinct()
      .execute();
    return rows.map(({ owner }) => owner);
  }

  /** Blobs from before `before` are deleted; resolves with how many. */
  async deleteOlder(before: number): Promise<number> {
    const result = await this.#database
      .updateTable('log_blobs')
      .set({ state: 'garbage' })
      .where('state', '=', 'current')
      .where('created_at', '<', before)
      .executeTakeFirst();
    return Number(result.numUpdatedRows);
  }

  /** What the blobs of each owner take of the storage, in bytes. */
  async totals(): Promise<Map<string, number>> {
    const rows = await this.#database
      .selectFrom('log_blobs')
      .select(({ fn }) => ['owner', fn.sum<number | string>('stored').as('total')])
      .where('state', '=', 'current')
      .groupBy('owner')
      .execute();
    return new Map(rows.map(({ owner, total }) => [owner, Number(total)]));
  }

  async oldest(owner: string, limit: number): Promise<Blob[]> {
    const rows = await this.#database
      .selectFrom('log_blobs')
      .selectAll()
      .where('owner', '=', owner)
      .where('state', '=', 'current')
      .orderBy('created_at')
      .limit(limit)
      .execute();
    return rows.map(toBlob);
  }

  /** Objects that are nobody's: deleted or replaced, and those that were begun before `begunBefore` and never finished. */
  async garbage(begunBefore: number, limit: number): Promise<string[]> {
    const rows = await this.#database
      .selectFrom('log_blobs')
      .select('name')
      .where((where) =>
        where.or([
          where('state', '=', 'garbage'),
          where.and([where('state', '=', 'writing'), where('created_at', '<', begunBefore)]),
        ]),
      )
      .limit(limit)
      .execute();
    return rows.map(({ name }) => name);
  }

  /** The object is gone from the storage. */
  async forget(name: string): Promise<void> {
    await this.#database.deleteFrom('log_blobs').where('name', '=', name).where('state', '<>', 'current').execute();
  }
}

/**
 * Nothing of an account or key is in it but digests: a key made of `..`, of bytes that a file system folds together, or of
 * ten thousand letters is a name like any other.
 */
function objectName(owner: string, key: LogKey): string {
  const digest = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');
  return `logs/${digest(owner).slice(0, 32)}/${digest(key.bytes)}-${randomUUID()}.ndjson.gz`;
}

async function finishStream(transaction: Kysely<Schema>, id: string): Promise<boolean> {
  const result = await transaction
    .updateTable('log_streams')
    .set({ state: 'closed' })
    .where('id', '=', id)
    .where('state', '=', 'closing')
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

function toBlob(row: Selectable<LogBlobRow>): Blob {
  return {
    name: row.name,
    owner: row.owner,
    key: storedKey(row.key),
    size: row.size,
    stored: row.stored,
    createdAt: row.created_at,
    span: spanOf(row),
  };
}

function spanOf({ first_seq, next_seq, writers }: Selectable<LogBlobRow>): LineSpan | null {
  if (first_seq === null || next_seq === null) return null;
  return { first: first_seq, next: next_seq, writers: JSON.parse(writers ?? '{}') as Record<string, number> };
}
