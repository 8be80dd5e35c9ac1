import type { Kysely, Selectable } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { WebhookDeliveryRow } from '../database/webhook-rows.ts';

export interface Delivery {
  readonly id: string;
  readonly webhookId: string;
  readonly accountId: string;
  readonly eventType: string;
  readonly body: string;
  readonly state: WebhookDeliveryRow['state'];
  readonly attempts: number;
  readonly nextAttemptAt: number | null;
  readonly createdAt: number;
  readonly lastAttemptAt: number | null;
  readonly status: number | null;
  readonly error: string | null;
}

/** With what it takes to send it. */
export interface DueDelivery extends Delivery {
  readonly url: string;
  readonly sealedSecret: string;
  /** Its receiver failed last, or took long. */
  readonly slow: boolean;
}

export type NewDelivery = Pick<Delivery, 'id' | 'webhookId' | 'accountId' | 'eventType' | 'body' | 'createdAt'>;

/** What a claim has to say of whom it leaves out. */
export interface Busy {
  readonly webhooks: readonly string[];
  readonly accounts: readonly string[];
  /** Leave out receivers that failed last, or were slow. */
  readonly onlyQuick: boolean;
}

export interface AttemptOutcome {
  readonly at: number;
  readonly status: number | null;
  readonly error: string | null;
}

/** An answer that took longer makes a receiver a slow one. */
export const SLOW_ANSWER_MS = 2_000;
/** Deliveries that are over, of one webhook. */
const KEPT_PER_WEBHOOK = 100;

/** The outbox: each row is one event for one webhook. */
export class DeliveryStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async insert(delivery: NewDelivery): Promise<void> {
    await this.#database
      .insertInto('webhook_deliveries')
      .values({
        id: delivery.id,
        webhook_id: delivery.webhookId,
        account_id: delivery.accountId,
        event_type: delivery.eventType,
        body: delivery.body,
        state: 'WAITING',
        attempts: 0,
        next_attempt_at: delivery.createdAt,
        claimed_by: null,
        created_at: delivery.createdAt,
        last_attempt_at: null,
        finished_at: null,
        status: null,
        error: null,
      })
      .execute();
  }

  /** Newest first. */
  async ofWebhook(accountId: string, webhookId: string, limit: number): Promise<Delivery[]> {
    const rows = await this.#database
      .selectFrom('webhook_deliveries')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('webhook_id', '=', webhookId)
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map(fromRow);
  }

  async find(accountId: string, id: string): Promise<Delivery | null> {
    const row = await this.#database
      .selectFrom('webhook_deliveries')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** How many wait, by webhook. */
  async waiting(accountId: string): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#database
      .selectFrom('webhook_deliveries')
      .select((row) => ['webhook_id', row.fn.countAll<number>().as('waiting')])
      .where('account_id', '=', accountId)
      .where('state', '=', 'WAITING')
      .groupBy('webhook_id')
      .execute();
    return new Map(rows.map(({ webhook_id, waiting }) => [webhook_id, Number(waiting)]));
  }

  /** Due ones that nobody here is busy with, the longest due first. Not yet claimed. */
  async due(now: number, limit: number, { webhooks, accounts, onlyQuick }: Busy): Promise<DueDelivery[]> {
    let query = this.#database
      .selectFrom('webhook_deliveries')
      .innerJoin('webhooks', 'webhooks.id', 'webhook_deliveries.webhook_id')
      .selectAll('webhook_deliveries')
      .select(['url', 'secret_ciphertext', 'failing_since', 'last_duration_ms'])
      .where('next_attempt_at', '<=', now)
      .orderBy('next_attempt_at')
      .limit(limit);
    if (webhooks.length > 0) query = query.where('webhook_id', 'not in', webhooks);
    if (accounts.length > 0) query = query.where('webhook_deliveries.account_id', 'not in', accounts);
    if (onlyQuick) query = query.where('failing_since', 'is', null).where('last_duration_ms', '<=', SLOW_ANSWER_MS);
    return (await query.execute()).map((row) => ({
      ...fromRow(row),
      url: row.url,
      sealedSecret: row.secret_ciphertext,
      slow: row.failing_since !== null || row.last_duration_ms > SLOW_ANSWER_MS,
    }));
  }

  /**
   * Takes the delivery for one attempt until `until`; false when another replica was first. Who compares and sets sees
   * on either database whether it was first, and no lock is held while the receiver is waited for.
   */
  async claim({ id, nextAttemptAt }: Delivery, replicaId: string, now: number, until: number): Promise<boolean> {
    const { numUpdatedRows } = await this.#database
      .updateTable('webhook_deliveries')
      .set((set) => ({
        attempts: set('attempts', '+', 1),
        next_attempt_at: until,
        claimed_by: replicaId,
        last_attempt_at: now,
      }))
      .where('id', '=', id)
      .where('state', '=', 'WAITING')
      .where('next_attempt_at', '=', nextAttemptAt)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** The attempt never ended: it does not count. */
  async giveBack(id: string, replicaId: string, now: number): Promise<void> {
    await this.#database
      .updateTable('webhook_deliveries')
      .set((set) => ({ attempts: set('attempts', '-', 1), next_attempt_at: now, claimed_by: null }))
      .where('id', '=', id)
      .where('claimed_by', '=', replicaId)
      .execute();
  }

  /** What replicas without a lease were at is due now. */
  async releaseLost(now: number): Promise<void> {
    await this.#database
      .updateTable('webhook_deliveries')
      .set({ next_attempt_at: now, claimed_by: null })
      .where('claimed_by', 'is not', null)
      .where('state', '=', 'WAITING')
      .where('claimed_by', 'not in', (replicas) =>
        replicas.selectFrom('replicas').select('id').where('lease_until', '>=', now),
      )
      .execute();
  }

  async retryAt(id: string, nextAttemptAt: number, { status, error }: AttemptOutcome): Promise<void> {
    await this.#database
      .updateTable('webhook_deliveries')
      .set({ next_attempt_at: nextAttemptAt, claimed_by: null, status, error })
      .where('id', '=', id)
      .where('state', '=', 'WAITING')
      .execute();
  }

  async finish(
    { id, webhookId }: Pick<Delivery, 'id' | 'webhookId'>,
    state: 'DELIVERED' | 'FAILED',
    { at, status, error }: AttemptOutcome,
  ): Promise<void> {
    await this.#database
      .updateTable('webhook_deliveries')
      .set({ state, next_attempt_at: null, claimed_by: null, finished_at: at, status, error })
      .where('id', '=', id)
      .execute();
    await this.#trim(webhookId);
  }

  /** Everything that waits, when the webhook is switched off. */
  async failAll(webhookId: string, at: number, error: string): Promise<void> {
    await this.#database
      .updateTable('webhook_deliveries')
      .set({ state: 'FAILED', next_attempt_at: null, claimed_by: null, finished_at: at, error })
      .where('webhook_id', '=', webhookId)
      .where('state', '=', 'WAITING')
      .execute();
    await this.#trim(webhookId);
  }

  /** Of what is over, the latest is kept. */
  async #trim(webhookId: string): Promise<void> {
    const over = this.#database
      .selectFrom('webhook_deliveries')
      .where('webhook_id', '=', webhookId)
      .where('state', '!=', 'WAITING');
    const excess = await over
      .select('created_at')
      .orderBy('created_at', 'desc')
      .offset(KEPT_PER_WEBHOOK)
      .limit(1)
      .executeTakeFirst();
    if (excess === undefined) return;
    await this.#database
      .deleteFrom('webhook_deliveries')
      .where('webhook_id', '=', webhookId)
      .where('state', '!=', 'WAITING')
      .where('created_at', '<=', excess.created_at)
      .execute();
  }
}

function fromRow(row: Selectable<WebhookDeliveryRow>): Delivery {
  return {
    id: row.id,
    webhookId: row.webhook_id,
    accountId: row.account_id,
    eventType: row.event_type,
    body: row.body,
    state: row.state,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at,
    createdAt: row.created_at,
    lastAttemptAt: row.last_attempt_at,
    status: row.status,
    error: row.error,
  };
}
