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
 * Kysely over SQLite in a thread of its own: a commit waits for the disk there and not in the event loop. The file is
 * private to its owner. One connection; transactions take turns.
 */
export class WorkerSqliteDialect extends SqliteDialect {
  readonly #driver: WorkerDriver;

  private constructor(driver: WorkerDriver) {
    super({ database: async () => Promise.reject(new Error('the worker holds the database')) });
    this.#driver = driver;
  }

  /** Rejects with what SQLite says when the file cannot be opened for writing. */
  static async open(file: string): Promise<WorkerSqliteDialect> {
    const driver = new WorkerDriver(file);
    try {
      await driver.query(CompiledQuery.raw('select 1'));
    } catch (error) {
      await driver.destroy();
      throw error;
    }
    return new WorkerSqliteDialect(driver);
  }

  override createDriver(): Driver {
    return this.#driver;
  }

  override createAdapter(): DialectAdapter {
    return new SqliteAdapter();
  }
}

class WorkerDriver implements Driver {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #next = 0;
  #failure: Error | null = null;
  #turn: Promise<void> = Promise.resolve();
  readonly #releases = new WeakMap<DatabaseConnection, () => void>();

  constructor(file: string) {
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

  query<R>({ sql, parameters }: Pick<CompiledQuery, 'sql' | 'parameters'>): Promise<QueryResult<R>> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const id = this.#next;
    this.#next += 1;
    return new Promise<QueryResult<R>>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (result: QueryResult<never>) => void, reject });
      this.#worker.postMessage({ id, sql, parameters } satisfies StatementRequest);
    });
  }

  async init(): Promise<void> {
    // The worker opened the database when it started.
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#turn;
    let release: () => void = () => undefined;
    this.#turn = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    const connection: DatabaseConnection = {
      executeQuery: (query) => this.query(query),
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
    await this.query(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(): Promise<void> {
    await this.query(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(): Promise<void> {
    await this.query(CompiledQuery.raw('rollback'));
  }

  async destroy(): Promise<void> {
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
