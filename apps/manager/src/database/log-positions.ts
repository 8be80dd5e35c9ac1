import { type Kysely, SqliteAdapter } from 'kysely';
import type { Schema } from './schema.ts';

/** Migration 0011: where writers, streams and blobs stand, so that nothing is stored twice or skipped when they go on. */
export async function logPositions(database: Kysely<Schema>): Promise<void> {
  // As in 0005: the embedded database keeps logs in a file of its own.
  if (database.getExecutor().adapter instanceof SqliteAdapter) return;
  await change(database);
}

/** The same for the embedded log database, which has no list of its migrations; nothing, when it was done before. */
export async function addLogPositions(database: Kysely<Schema>): Promise<void> {
  const tables = await database.introspection.getTables();
  if (!tables.some(({ name }) => name === 'log_writers')) await change(database);
}

async function change({ schema }: Kysely<Schema>): Promise<void> {
  await schema
    .alterTable('log_streams')
    .addColumn('continues', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  await schema.alterTable('log_blobs').addColumn('first_seq', 'bigint').execute();
  await schema.alterTable('log_blobs').addColumn('next_seq', 'bigint').execute();
  await schema.alterTable('log_blobs').addColumn('writers', 'text').execute();
  await schema
    .createTable('log_writers')
    .addColumn('stream_id', 'text', (c) => c.notNull().references('log_streams.id').onDelete('cascade'))
    .addColumn('writer', 'text', (c) => c.notNull())
    .addColumn('last_pos', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('log_writers_key', ['stream_id', 'writer'])
    .execute();
}
