import type { Kysely, Transaction } from 'kysely';
import type { Logger } from 'pino';
import type { Schema } from '../database/schema.ts';
import type { Bus, BusEvent, BusEventType, BusHandler } from './bus.ts';

/** Events inside one process: all there is with the embedded database, and the local half of the PostgreSQL bus. */
export class LocalBus implements Bus {
  readonly #database: Kysely<Schema>;
  readonly #logger: Logger;
  readonly #handlers = new Map<BusEventType, Set<(event: BusEvent) => void | Promise<void>>>();

  constructor(database: Kysely<Schema>, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  get inStep(): boolean {
    return true;
  }

  async commit<R>(event: BusEvent, work: (transaction: Transaction<Schema>) => Promise<R>): Promise<R> {
    const result = await this.#database.transaction().execute(work);
    await this.deliver(event);
    return result;
  }

  subscribe<T extends BusEventType>(type: T, handler: BusHandler<T>): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    const typed = handler as (event: BusEvent) => void | Promise<void>;
    handlers.add(typed);
    return () => void handlers.delete(typed);
  }

  /** Runs the handlers of this process. Never rejects: one that fails is logged and the others still run. */
  async deliver(event: BusEvent): Promise<void> {
    for (const handler of this.#handlers.get(event.type) ?? []) {
      try {
        await handler(event);
      } catch (error) {
        this.#logger.error({ err: error, event }, 'a handler of a bus event failed');
      }
    }
  }

  async close(): Promise<void> {
    this.#handlers.clear();
  }
}
