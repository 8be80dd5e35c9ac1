import { type Kysely, SqliteAdapter, sql } from 'kysely';
import type { Schema } from './schema.ts';

/** Migration 0005: with PostgreSQL the lines of logs are rows beside everything else. */
export async function logs(database: Kysely<Schema>): Promise<void> {
  // The embedded database keeps them in a file of its own (`log-database.ts`): their commits must not hold up others.
  if (database.getExecutor().adapter instanceof SqliteAdapter) return;
  await createLogTables(database);
}

export async function createLogTables(database: Kysely<Schema>): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('log_streams')
    .ifNotExists()
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('key', 'bytea', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('base_seq', 'bigint', (c) => c.notNull())
    .addColumn('first_seq', 'bigint', (c) => c.notNull())
    .addColumn('next_seq', 'bigint', (c) => c.notNull())
    .addColumn('bytes', 'bigint', (c) => c.notNull())
    .addColumn('opened_at', 'bigint', (c) => c.notNull())
    .addColumn('written_at', 'bigint', (c) => c.notNull())
    .addColumn('closed_at', 'bigint')
    .execute();
  await schema
    .createIndex('log_streams_open')
    .ifNotExists()
    .unique()
    .on('log_streams')
    .columns(['owner', 'key'])
    .where(sql.ref('state'), '=', 'open')
    .execute();
  await schema.createIndex('log_streams_key').ifNotExists().on('log_streams').columns(['owner', 'key']).execute();
  await schema
    .createIndex('log_streams_written')
    .ifNotExists()
    .on('log_streams')
    .columns(['state', 'written_at'])
    .execute();

  await schema
    .createTable('log_chunks')
    .ifNotExists()
    .addColumn('stream_id', 'text', (c) => c.notNull().references('log_streams.id').onDelete('cascade'))
    .addColumn('first_seq', 'bigint', (c) => c.notNull())
    .addColumn('lines', 'integer', (c) => c.notNull())
    .addColumn('size', 'integer', (c) => c.notNull())
    .addColumn('body', 'bytea', (c) => c.notNull())
    .addPrimaryKeyConstraint('log_chunks_key', ['stream_id', 'first_seq'])
    .execute();

  await schema
    .createTable('log_blobs')
    .ifNotExists()
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('key', 'bytea', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('size', 'bigint', (c) => c.notNull())
    .addColumn('stored', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema
    .createIndex('log_blobs_current')
    .ifNotExists()
    .unique()
    .on('log_blobs')
    .columns(['owner', 'key'])
    .where(sql.ref('state'), '=', 'current')
    .execute();
  await schema.createIndex('log_blobs_age').ifNotExists().on('log_blobs').columns(['state', 'created_at']).execute();
  await schema
    .createIndex('log_blobs_owner')
    .ifNotExists()
    .on('log_blobs')
    .columns(['owner', 'state', 'created_at'])
    .execute();
}
