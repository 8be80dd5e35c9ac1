import { Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { DatabaseError } from './database-error.ts';
import { migrationProvider } from './migrations.ts';
import { describePostgres, openPostgresPool, postgresDialect } from './postgres-dialect.ts';
import type { Schema } from './schema.ts';
import { openSqliteDialect } from './sqlite-dialect.ts';

export type DatabaseLocation = { readonly url: string } | { readonly file: string };

export interface Database {
  readonly database: Kysely<Schema>;
  readonly dialect: 'sqlite' | 'postgres';
  /** Waits for running queries, then lets go of the file or the connections. Idempotent. */
  close(): Promise<void>;
}

export interface OpenDatabaseOptions {
  /** How long to wait for another process that holds the SQLite file, such as one that is just stopping. */
  readonly busyTimeoutMs?: number;
}

/**
 * Opens the database and brings its tables up to date. When it returns, the database is writable and has the tables of
 * this version; several replicas may do this at once (PostgreSQL: one migrates, the others wait for it).
 *
 * Throws DatabaseError, naming file or host, when it cannot be reached, is read-only, belongs to another process
 * (SQLite) or was migrated by a newer version.
 */
export async function openDatabase(location: DatabaseLocation, options: OpenDatabaseOptions = {}): Promise<Database> {
  return 'url' in location ? openPostgres(location.url) : openSqlite(location.file, options);
}

async function openSqlite(file: string, options: OpenDatabaseOptions): Promise<Database> {
  const dialect = openSqliteDialect(file, options);
  const database = new Kysely<Schema>({ dialect });
  const close = async () => {
    await database.destroy();
    dialect.close();
  };
  try {
    await migrate(database, `the database file ${file}`);
  } catch (error) {
    await close();
    throw error;
  }
  return { database, dialect: 'sqlite', close };
}

async function openPostgres(url: string): Promise<Database> {
  const pool = openPostgresPool(url);
  const database = new Kysely<Schema>({ dialect: postgresDialect(pool) });
  const close = async () => {
    await database.destroy();
    if (!pool.ended) await pool.end();
  };
  const where = describePostgres(url);
  try {
    await assertWritable(database, where);
    await migrate(database, where);
  } catch (error) {
    await close();
    throw error;
  }
  return { database, dialect: 'postgres', close };
}

async function assertWritable(database: Kysely<Schema>, where: string): Promise<void> {
  let readOnly: string | undefined;
  try {
    const result = await sql<{ transaction_read_only: string }>`show transaction_read_only`.execute(database);
    readOnly = result.rows[0]?.transaction_read_only;
  } catch (error) {
    throw new DatabaseError(
      `Cannot use ${where}: ${reasonOf(error)}. Check SALLYPORT_DATABASE_URL and that the server is running.`,
      { cause: error },
    );
  }
  if (readOnly !== 'off') {
    throw new DatabaseError(
      `${where} is read-only (a standby, or default_transaction_read_only is on). Point SALLYPORT_DATABASE_URL at the primary.`,
    );
  }
}

async function migrate(database: Kysely<Schema>, where: string): Promise<void> {
  if (await isUpToDate(database)) return;
  const { error } = await new Migrator({ db: database, provider: migrationProvider }).migrateToLatest();
  if (error === undefined) return;
  if (reasonOf(error).startsWith('corrupted migrations')) {
    throw new DatabaseError(
      `The tables of ${where} were made by a newer version of Sallyport (${reasonOf(error)}). ` +
        'Run that version, or restore a backup from before the upgrade.',
      { cause: error },
    );
  }
  throw new DatabaseError(`Cannot bring the tables of ${where} up to date: ${reasonOf(error)}.`, { cause: error });
}

/** Whether exactly our migrations have run. One query, where the migrator looks at every table first. */
async function isUpToDate(database: Kysely<Schema>): Promise<boolean> {
  try {
    const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(database);
    const known = Object.keys(await migrationProvider.getMigrations()).sort();
    return rows.length === known.length && rows.every(({ name }, index) => name === known[index]);
  } catch {
    // No such table in a new database. Whatever else it may be, the migrator meets it too, and says so.
    return false;
  }
}

/** node reports a refused connection to a name with several addresses as an AggregateError without a message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
