import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import {
  CompiledQuery,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
  type SqliteStatement,
} from 'kysely';
import { DatabaseError } from './database-error.ts';

const BUSY_TIMEOUT_MS = 5000;

/**
 * Kysely over `node:sqlite`. The file is open, private to its owner, and held by this process alone when this returns.
 *
 * Throws DatabaseError when the file cannot be opened for writing, is no SQLite database, or is in use by another process.
 */
export function openSqliteDialect(file: string, options: { busyTimeoutMs?: number } = {}): ClosableSqliteDialect {
  const timeout = options.busyTimeoutMs ?? BUSY_TIMEOUT_MS;
  const lock = explaining(file, () => holdAlone(file, timeout));
  try {
    return new ClosableSqliteDialect(
      explaining(file, () => open(file, timeout)),
      lock,
    );
  } catch (error) {
    lock?.close();
    throw error;
  }
}

export class ClosableSqliteDialect extends SqliteDialect {
  readonly #database: DatabaseSync;
  readonly #lock: DatabaseSync | null;

  constructor(database: DatabaseSync, lock: DatabaseSync | null) {
    super({ database: adapt(database) });
    this.#database = database;
    this.#lock = lock;
  }

  override createDriver(): Driver {
    return new ImmediateDriver({ database: adapt(this.#database) });
  }

  override createAdapter(): DialectAdapter {
    return new TransactionalDdlAdapter();
  }

  /** Releases the file; idempotent. */
  close(): void {
    if (this.#database.isOpen) this.#database.close();
    if (this.#lock?.isOpen) this.#lock.close();
  }
}

/** Takes the write lock when a transaction begins: upgrading a read lock later fails at once instead of waiting. */
class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

/** SQLite rolls back DDL like anything else: a migration that is cut short leaves nothing behind. */
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

function open(file: string, timeout: number): DatabaseSync {
  if (file !== ':memory:') {
    // The database holds hashes and encrypted secrets: made for its owner only, and SQLite gives the same mode to the
    // -wal and -shm files beside it.
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    closeSync(openSync(file, 'a', 0o600));
  }
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout });
  try {
    // FULL: in WAL mode NORMAL may lose the last commits in a power cut, and what was acknowledged has to survive one.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    // A query that writes, so that a read-only file is found now and not at the first request.
    database.exec('BEGIN IMMEDIATE; PRAGMA user_version = 1; COMMIT;');
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/**
 * A second control plane on the same file would not hear of this one's changes (the bus ends at the process), and keep
 * admitting what is no longer trusted. So a lock is held for as long as the database is open; the operating system
 * releases it when the process dies, however it dies. Online backups of the database itself stay possible.
 */
function holdAlone(file: string, timeout: number): DatabaseSync | null {
  if (file === ':memory:') return null;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const lock = new DatabaseSync(`${file}.lock`, { timeout });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === 5) {
      throw new DatabaseError(
        `The database file ${file} is in use by another sallyport process. Stop that one first; ` +
          'to run several replicas, use PostgreSQL (SALLYPORT_DATABASE_URL).',
      );
    }
    throw error;
  }
}

function explaining<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof DatabaseError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseError(
      `Cannot use the database file ${file}: ${reason}. It has to be a SQLite database that this user may write, ` +
        'in a folder that this user may write.',
      { cause: error },
    );
  }
}

/** The subset of better-sqlite3 that Kysely's driver asks for. Closing is the dialect's own business. */
function adapt(database: DatabaseSync): SqliteDatabase {
  return { prepare: (sql) => adaptStatement(database.prepare(sql)), close: () => undefined };
}

function adaptStatement(prepared: StatementSync): SqliteStatement {
  return {
    reader: prepared.columns().length > 0,
    all: (parameters) => prepared.all(...(parameters as SQLInputValue[])),
    run: (parameters) => prepared.run(...(parameters as SQLInputValue[])),
    iterate: (parameters) => prepared.iterate(...(parameters as SQLInputValue[])),
  };
}
