import { Kysely } from 'kysely';
import { DatabaseError } from './database-error.ts';
import { addLogPositions } from './log-positions.ts';
import { createLogTables } from './logs.ts';
import type { Schema } from './schema.ts';
import { WorkerSqliteDialect } from './worker-dialect.ts';

export interface LogDatabase {
  readonly database: Kysely<Schema>;
  close(): Promise<void>;
}

/**
 * The embedded home of log lines: a SQLite file beside the main one, held by a thread of its own, with nothing but the
 * `log_` tables. With PostgreSQL they are in the one database. Throws DatabaseError naming the file.
 */
export async function openLogDatabase(file: string): Promise<LogDatabase> {
  try {
    const database = new Kysely<Schema>({ dialect: await WorkerSqliteDialect.open(file) });
    await prepareLogTables(database);
    return { database, close: () => database.destroy() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseError(
      `Cannot use the log database ${file}: ${reason}. It has to be a SQLite database that this user may write.`,
      { cause: error },
    );
  }
}

/** The tables of logs as they are today, made or brought up to date. */
export async function prepareLogTables(database: Kysely<Schema>): Promise<void> {
  await createLogTables(database);
  await addLogPositions(database);
}
