import { existsSync } from 'node:fs';
import { Kysely, sql } from 'kysely';
import { DatabaseError } from './database-error.ts';
import { addLogPositions } from './log-positions.ts';
import { createLogTables } from './logs.ts';
import type { Schema } from './schema.ts';
import { SqliteThread, WorkerSqliteDialect } from './worker-dialect.ts';

export interface LogDatabase {
  readonly database: Kysely<Schema>;
  /** There were no logs yet. */
  readonly isNew: boolean;
  close(): Promise<void>;
}

/**
 * The embedded home of log lines: a SQLite file beside the main one, held by a thread of its own, with nothing but the
 * `log_` tables. With PostgreSQL they are in the one database. A file that is there is open when this returns, or it
 * throws DatabaseError naming it; a new one is made with its thread when there is something to write: starting a thread
 * costs as much as a quarter of the manager.
 */
export async function openLogDatabase(file: string): Promise<LogDatabase> {
  const isNew = !existsSync(file);
  const database = new Kysely<Schema>({ dialect: new WorkerSqliteDialect(() => openPrepared(file)) });
  try {
    if (!isNew) await sql`select 1`.execute(database);
    return { database, isNew, close: () => database.destroy() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseError(
      `Cannot use the log database ${file}: ${reason}. It has to be a SQLite database that this user may write.`,
      { cause: error },
    );
  }
}

async function openPrepared(file: string): Promise<SqliteThread> {
  const thread = await SqliteThread.open(file);
  try {
    await prepareLogTables(new Kysely<Schema>({ dialect: new WorkerSqliteDialect(async () => thread) }));
    return thread;
  } catch (error) {
    await thread.close();
    throw error;
  }
}

/** The tables of logs as they are today, made or brought up to date. */
export async function prepareLogTables(database: Kysely<Schema>): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await createLogTables(transaction);
    await addLogPositions(transaction);
  });
}
