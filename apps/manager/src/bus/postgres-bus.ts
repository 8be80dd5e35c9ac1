import { setTimeout as sleep } from 'node:timers/promises';
import { type Kysely, sql, type Transaction } from 'kysely';
import pg from 'pg';
import type { Logger } from 'pino';
import type { Schema } from '../database/schema.ts';
import type { Bus, BusEvent, BusEventType, BusHandler } from './bus.ts';
import { LocalBus } from './local-bus.ts';

const CHANNEL = 'sallyport';
/** How often a silent listening connection is asked whether it still lives; a half-dead one hears no change. */
const PROBE_EVERY_MS = 2_000;
const RECONNECT_AFTER_MS = 250;

interface Announcement {
  readonly from: string;
  readonly event: BusEvent;
}

/**
 * Events between replicas, by PostgreSQL's LISTEN and NOTIFY. The notification is part of the transaction that makes
 * the change, so PostgreSQL delivers it exactly when the change becomes visible, and never without it.
 */
export class PostgresBus implements Bus {
  readonly #local: LocalBus;
  readonly #database: Kysely<Schema>;
  readonly #url: string;
  readonly #replicaId: string;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  #inStep = false;
  #listening: Promise<void> = Promise.resolve();

  private constructor(database: Kysely<Schema>, url: string, replicaId: string, logger: Logger) {
    this.#local = new LocalBus(database, logger);
    this.#database = database;
    this.#url = url;
    this.#replicaId = replicaId;
    this.#logger = logger;
  }

  /** Resolves when the listening connection is up. Rejects when PostgreSQL cannot be reached. */
  static async open(database: Kysely<Schema>, url: string, replicaId: string, logger: Logger): Promise<PostgresBus> {
    const bus = new PostgresBus(database, url, replicaId, logger);
    const client = await bus.#connect();
    bus.#listening = bus.#listen(client);
    return bus;
  }

  get inStep(): boolean {
    return this.#inStep;
  }

  async commit<R>(event: BusEvent, work: (transaction: Transaction<Schema>) => Promise<R>): Promise<R> {
    const announcement: Announcement = { from: this.#replicaId, event };
    const result = await this.#database.transaction().execute(async (transaction) => {
      const value = await work(transaction);
      await sql`select pg_notify(${CHANNEL}, ${JSON.stringify(announcement)})`.execute(transaction);
      return value;
    });
    await this.#local.deliver(event);
    return result;
  }

  subscribe<T extends BusEventType>(type: T, handler: BusHandler<T>): () => void {
    return this.#local.subscribe(type, handler);
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#listening;
    await this.#local.close();
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#url, connectionTimeoutMillis: 5_000, keepAlive: true });
    try {
      await client.connect();
      client.on('notification', (notification) => this.#hear(notification.payload));
      await client.query(`LISTEN ${CHANNEL}`);
    } catch (error) {
      await client.end();
      throw error;
    }
    this.#inStep = true;
    return client;
  }

  /** Holds a listening connection for as long as the bus is open. Never rejects. */
  async #listen(first: pg.Client): Promise<void> {
    let client: pg.Client | null = first;
    while (!this.#stopping.signal.aborted) {
      if (client !== null) {
        await this.#untilLost(client);
        this.#inStep = false;
        await client
          .end()
          .catch((error: unknown) => this.#logger.debug({ err: error }, 'the lost connection did not close'));
        if (this.#stopping.signal.aborted) return;
        this.#logger.warn(
          'lost the connection that hears of other replicas; every decision reads the database until it is back',
        );
        await this.#local.deliver({ type: 'resync' });
      }
      await sleep(RECONNECT_AFTER_MS, null, { signal: this.#stopping.signal }).catch(() => null);
      if (this.#stopping.signal.aborted) return;
      client = await this.#connect().catch((error: unknown) => {
        this.#logger.debug({ err: error }, 'PostgreSQL is still not reachable');
        return null;
      });
      // What was missed while away: everybody who kept something re-reads it.
      if (client !== null) await this.#local.deliver({ type: 'resync' });
    }
  }

  /** Resolves when the connection is gone, does not answer in time, or the bus is being closed. */
  async #untilLost(client: pg.Client): Promise<void> {
    const lost = new AbortController();
    const over = AbortSignal.any([lost.signal, this.#stopping.signal]);
    client.on('error', () => lost.abort());
    client.on('end', () => lost.abort());
    while (!over.aborted) {
      await sleep(PROBE_EVERY_MS, null, { signal: over }).catch(() => null);
      if (over.aborted) return;
      const answered = await Promise.race([
        client.query('SELECT 1').then(
          () => true,
          () => false,
        ),
        sleep(PROBE_EVERY_MS, false, { signal: over }).catch(() => false),
      ]);
      if (!answered) return;
    }
  }

  #hear(payload: string | undefined): void {
    const announcement = readAnnouncement(payload);
    if (announcement === null) {
      this.#logger.warn('heard an announcement of another form; is a different version running?');
      return;
    }
    if (announcement.from === this.#replicaId) return;
    void this.#local.deliver(announcement.event);
  }
}

function readAnnouncement(payload: string | undefined): Announcement | null {
  try {
    const value: unknown = JSON.parse(payload ?? '');
    if (typeof value !== 'object' || value === null || !('from' in value) || !('event' in value)) return null;
    const { event } = value;
    return typeof event === 'object' && event !== null && 'type' in event ? (value as Announcement) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
