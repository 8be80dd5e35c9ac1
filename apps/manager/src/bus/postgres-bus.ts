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
const ANSWER_TIMEOUT_MS = 5_000;

export interface PostgresBusTimings {
  readonly probeEveryMs: number;
  readonly reconnectAfterMs: number;
}

/** The connection that hears of other replicas; `lost` aborts in the moment that it does not any more. */
interface Line {
  readonly client: pg.Client;
  readonly lost: AbortSignal;
}

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
  readonly #timings: PostgresBusTimings;
  readonly #stopping = new AbortController();
  #inStep = false;
  #listening: Promise<void> = Promise.resolve();

  private constructor(
    database: Kysely<Schema>,
    url: string,
    replicaId: string,
    logger: Logger,
    timings: PostgresBusTimings,
  ) {
    this.#local = new LocalBus(database, logger);
    this.#database = database;
    this.#url = url;
    this.#replicaId = replicaId;
    this.#logger = logger;
    this.#timings = timings;
  }

  /** Resolves when the listening connection is up. Rejects when PostgreSQL cannot be reached. */
  static async open(
    database: Kysely<Schema>,
    url: string,
    replicaId: string,
    logger: Logger,
    timings: PostgresBusTimings = { probeEveryMs: PROBE_EVERY_MS, reconnectAfterMs: RECONNECT_AFTER_MS },
  ): Promise<PostgresBus> {
    const bus = new PostgresBus(database, url, replicaId, logger, timings);
    const line = await bus.#connect();
    bus.#listening = bus.#listen(line);
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

  async #connect(): Promise<Line> {
    const client = new pg.Client({
      connectionString: this.#url,
      connectionTimeoutMillis: ANSWER_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
    });
    const lost = new AbortController();
    // From the first moment on: an 'error' event without a listener would end the process.
    for (const event of ['error', 'end'] as const) {
      client.on(event, () => {
        if (!lost.signal.aborted) this.#inStep = false;
        lost.abort();
      });
    }
    try {
      await client.connect();
      client.on('notification', (notification) => this.#hear(notification.payload));
      await client.query(`LISTEN ${CHANNEL}`);
    } catch (error) {
      await client.end();
      throw error;
    }
    this.#inStep = !lost.signal.aborted;
    return { client, lost: lost.signal };
  }

  /** Holds a listening connection for as long as the bus is open. Never rejects. */
  async #listen(first: Line): Promise<void> {
    let line: Line | null = first;
    while (!this.#stopping.signal.aborted) {
      if (line !== null) {
        await this.#untilLost(line);
        this.#inStep = false;
        await line.client
          .end()
          .catch((error: unknown) => this.#logger.debug({ err: error }, 'the lost connection did not close'));
        if (this.#stopping.signal.aborted) return;
        this.#logger.warn(
          'lost the connection that hears of other replicas; every decision reads the database until it is back',
        );
        await this.#local.deliver({ type: 'resync' });
      }
      await sleep(this.#timings.reconnectAfterMs, null, { signal: this.#stopping.signal }).catch(() => null);
      if (this.#stopping.signal.aborted) return;
      line = await this.#connect().catch((error: unknown) => {
        this.#logger.debug({ err: error }, 'PostgreSQL is still not reachable');
        return null;
      });
      // What was missed while away: everybody who kept something re-reads it.
      if (line !== null) await this.#local.deliver({ type: 'resync' });
    }
  }

  /** Resolves when the connection is gone, does not answer in time, or the bus is being closed. */
  async #untilLost({ client, lost }: Line): Promise<void> {
    const { probeEveryMs } = this.#timings;
    const over = AbortSignal.any([lost, this.#stopping.signal]);
    while (!over.aborted) {
      await sleep(probeEveryMs, null, { signal: over }).catch(() => null);
      if (over.aborted) return;
      const answered = await Promise.race([
        client.query('SELECT 1').then(
          () => true,
          () => false,
        ),
        sleep(probeEveryMs, false, { signal: over }).catch(() => false),
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
