import { PostgresDialect } from 'kysely';
import pg from 'pg';
import { DatabaseError } from './database-error.ts';

const INT8 = 20;
const MAX_CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 5000;
/** Longer than any query of ours takes: a statement that hangs gives its connection back and the caller a 503. */
const STATEMENT_TIMEOUT_MS = 15_000;

/** Our own reading of int8, given to this pool only: other users of `pg` in the process keep theirs. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary' ? readInteger : pg.types.getTypeParser(oid, format),
};

function readInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new DatabaseError(`The database holds ${text}, which is no safe integer.`);
  return value;
}

/**
 * A pool for the URL; nothing is connected yet. `synchronous_commit` is left as the server has it (on by default): an
 * acknowledged write survives a power cut.
 */
export function openPostgresPool(url: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    application_name: 'sallyport',
    types,
  });
  // An idle connection that breaks emits here, and an 'error' event without a listener ends the process. The pool
  // drops that connection; when the server is really gone, the next query says so to its caller.
  pool.on('error', () => undefined);
  return pool;
}

export function postgresDialect(pool: pg.Pool): PostgresDialect {
  return new PostgresDialect({ pool });
}

/** Host, port and database of the URL: what may be shown. Never the user's password. */
export function describePostgres(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `PostgreSQL at ${hostname || 'localhost'}:${port || '5432'}${pathname}`;
}
