import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

// The thread behind worker-dialect.ts: it holds one SQLite database and runs one statement a message.

export interface StatementRequest {
  readonly id: number;
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export interface StatementAnswer {
  readonly id: number;
  readonly rows?: readonly unknown[];
  readonly changes?: number;
  readonly error?: { readonly message: string; readonly errcode: unknown };
}

interface Prepared {
  readonly statement: StatementSync;
  readonly reader: boolean;
}

const MAX_PREPARED = 200;

const port = parentPort;
if (port === null) throw new Error('sqlite-worker.ts runs as a worker thread');
const { file } = workerData as { readonly file: string };
if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600));
const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: 5_000 });
// FULL: what was acknowledged survives a power cut, not only the end of the process.
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA auto_vacuum = INCREMENTAL;');
database.exec('BEGIN IMMEDIATE; PRAGMA user_version = 1; COMMIT;');
const prepared = new Map<string, Prepared>();

port.on('message', (request: StatementRequest | null) => {
  if (request === null) {
    database.close();
    port.close();
    return;
  }
  port.postMessage(answer(request));
});

function answer({ id, sql, parameters }: StatementRequest): StatementAnswer {
  try {
    const { statement, reader } = prepare(sql);
    const values = parameters as SQLInputValue[];
    if (reader) return { id, rows: statement.all(...values) };
    return { id, changes: Number(statement.run(...values).changes) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { id, error: { message, errcode: error instanceof Error && 'errcode' in error ? error.errcode : null } };
  }
}

function prepare(sql: string): Prepared {
  const known = prepared.get(sql);
  if (known !== undefined) return known;
  if (prepared.size >= MAX_PREPARED) prepared.clear();
  const statement = database.prepare(sql);
  const made = { statement, reader: statement.columns().length > 0 };
  prepared.set(sql, made);
  return made;
}
