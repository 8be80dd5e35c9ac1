import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import {
  CompiledQuery,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteDialect,
} from 'kysely';
import type { StatementAnswer, StatementRequest } from './sqlite-worker.ts';

interface Waiting {
  resolve(result: QueryResult<never>): void;
  reject(error: Error): void;
}

/**
 * Kysely over SQLite in a thread of its own: a commit waits for the disk there and not in the event loop. One
 * connection; transactions take turns. The thread is opened by the first statement, and again by the next one when that
 * failed.
 */
export class WorkerSqliteDialect extends SqliteDialect {
  readonly #open: () => Promise<SqliteThread>;

  constructor(open: () => Promise<SqliteThread>) {
    super({ database: async () => Promise.reject(new Error('the worker holds the database')) });
    this.#open = open;
  }

  override createDriver(): Driver {
    return new WorkerDriver(this.#open);
  }

  override createAdapter(): DialectAdapter {
    return new SqliteAdapter();
  }
}

/** A thread that holds a SQLite file, which is private to its owner. */
export class SqliteThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #next = 0;
  #failure: Error | null = null;

  private constructor(file: string) {
    const script = new URL(`./sqlite-worker${extname(import.meta.filename)}`, import.meta.url);
    this.#worker = new Worker(script, { workerData: { file } });
    this.#worker.on('message', (answer: StatementAnswer) => this.#settle(answer));
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#exited = new Promise((resolve) =>
      this.#worker.on('exit', () => {
        this.#fail(new Error('the thread of the log database has ended'));
        resolve();
      }),
    );
  }

  /** Rejects with what SQLite says when the file cannot be opened for writing. */
  static async open(file: string): Promise<SqliteThread> {
    const thread = new SqliteThread(file);
    try {
      await thread.query(CompiledQuery.raw('select 1'));
      return thread;
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  query<R>({ sql, parameters }: Pick<CompiledQuery, 'sql' | 'parameters'>): Promise<QueryResult<R>> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const id = this.#next;
    this.#next += 1;
    return new Promise<QueryResult<R>>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (result: QueryResult<never>) => void, reject });
      this.#worker.postMessage({ id, sql, parameters } satisfies StatementRequest);
    });
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#worker.postMessage(null);
    await this.#exited;
  }

  #settle({ id, rows, changes, error }: StatementAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error !== undefined) waiting?.reject(Object.assign(new Error(error.message), { errcode: error.errcode }));
    else
      waiting?.resolve({
        rows: (rows ?? []) as never[],
        ...(changes !== undefined && { numAffectedRows: BigInt(changes) }),
      });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

class WorkerDriver implements Driver {
  readonly #open: () => Promise<SqliteThread>;
  #thread: SqliteThread | null = null;
  #turn: Promise<void> = Promise.resolve();
  readonly #releases = new WeakMap<DatabaseConnection, () => void>();

  constructor(open: () => Promise<SqliteThread>) {
    this.#open = open;
  }

  async init(): Promise<void> {
    this.#thread = await this.#open();
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#turn;
    let release: () => void = () => undefined;
    this.#turn = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    const connection: DatabaseConnection = {
      executeQuery: (query) => this.#run(query),
      // biome-ignore lint/correctness/useYield: nothing of ours streams rows of it.
      async *streamQuery() {
        throw new Error('the log database does not stream rows');
      },
    };
    this.#releases.set(connection, release);
    return connection;
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    this.#releases.get(connection)?.();
  }

  async beginTransaction(): Promise<void> {
    await this.#run(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(): Promise<void> {
    await this.#run(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(): Promise<void> {
    await this.#run(CompiledQuery.raw('rollback'));
  }

  async destroy(): Promise<void> {
    await this.#thread?.close();
  }

  #run<R>(query: Pick<CompiledQuery, 'sql' | 'parameters'>): Promise<QueryResult<R>> {
    if (this.#thread === null) return Promise.reject(new Error('the database was not opened'));
    return this.#thread.query(query);
  }
}
