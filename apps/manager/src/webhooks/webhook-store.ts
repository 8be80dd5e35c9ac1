import type { WebhookEventType } from '@sallyport/protocol';
import type { Kysely, Selectable } from 'kysely';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Schema } from '../database/schema.ts';
import type { WebhookRow } from '../database/webhook-rows.ts';

export interface StoredWebhook {
  readonly id: string;
  readonly accountId: string;
  readonly url: string;
  /** Null: every event. */
  readonly events: readonly string[] | null;
  readonly sealedSecret: string;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly lastSuccessAt: number | null;
  readonly lastFailureAt: number | null;
  readonly lastFailure: string | null;
  readonly failingSince: number | null;
  readonly offAt: number | null;
  readonly offReason: string | null;
  readonly dropped: number;
}

export type NewWebhook = Pick<
  StoredWebhook,
  'id' | 'accountId' | 'url' | 'events' | 'sealedSecret' | 'createdAt' | 'createdBy'
>;

const Strings = Type.Array(Type.String());

export class WebhookStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async insert(webhook: NewWebhook): Promise<void> {
    await this.#database
      .insertInto('webhooks')
      .values({
        id: webhook.id,
        account_id: webhook.accountId,
        url: webhook.url,
        events: webhook.events === null ? null : JSON.stringify(webhook.events),
        secret_ciphertext: webhook.sealedSecret,
        created_at: webhook.createdAt,
        created_by: webhook.createdBy,
        last_success_at: null,
        last_failure_at: null,
        last_failure: null,
        failing_since: null,
        last_duration_ms: 0,
        off_at: null,
        off_reason: null,
        dropped: 0,
      })
      .execute();
  }

  /** Oldest first. */
  async ofAccount(accountId: string): Promise<StoredWebhook[]> {
    const rows = await this.#database
      .selectFrom('webhooks')
      .selectAll()
      .where('account_id', '=', accountId)
      .orderBy('created_at')
      .orderBy('id')
      .execute();
    return rows.map(fromRow);
  }

  async find(accountId: string, id: string): Promise<StoredWebhook | null> {
    const row = await this.#database
      .selectFrom('webhooks')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** With its deliveries. */
  async delete(accountId: string, id: string): Promise<void> {
    await this.#database.deleteFrom('webhooks').where('account_id', '=', accountId).where('id', '=', id).execute();
  }

  async succeeded(id: string, at: number, durationMs: number): Promise<void> {
    await this.#database
      .updateTable('webhooks')
      .set({ last_success_at: at, failing_since: null, off_at: null, off_reason: null, last_duration_ms: durationMs })
      .where('id', '=', id)
      .execute();
  }

  async failed(id: string, at: number, reason: string): Promise<void> {
    await this.#database
      .updateTable('webhooks')
      .set((set) => ({
        last_failure_at: at,
        last_failure: reason,
        failing_since: set.fn.coalesce('failing_since', set.val(at)),
      }))
      .where('id', '=', id)
      .execute();
  }

  /** False when it was off already. */
  async switchOff(id: string, at: number, reason: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#database
      .updateTable('webhooks')
      .set({ off_at: at, off_reason: reason })
      .where('id', '=', id)
      .where('off_at', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  async countDropped(id: string): Promise<void> {
    await this.#database
      .updateTable('webhooks')
      .set((set) => ({ dropped: set('dropped', '+', 1) }))
      .where('id', '=', id)
      .execute();
  }
}

/** Those of the accounts that have a webhook which is on and wants to know of such events. */
export async function accountsListening(
  database: Kysely<Schema>,
  accountIds: readonly string[],
  type: WebhookEventType,
): Promise<ReadonlySet<string>> {
  if (accountIds.length === 0) return new Set();
  const rows = await database
    .selectFrom('webhooks')
    .select(['account_id', 'events'])
    .where('account_id', 'in', accountIds)
    .where('off_at', 'is', null)
    .execute();
  return new Set(rows.filter(({ events }) => wants(readEvents(events), type)).map(({ account_id }) => account_id));
}

export function wants(events: readonly string[] | null, type: WebhookEventType): boolean {
  return events === null || events.includes(type);
}

const readEvents = (events: string | null): string[] | null =>
  events === null ? null : Value.Parse(Strings, JSON.parse(events));

function fromRow(row: Selectable<WebhookRow>): StoredWebhook {
  return {
    id: row.id,
    accountId: row.account_id,
    url: row.url,
    events: readEvents(row.events),
    sealedSecret: row.secret_ciphertext,
    createdAt: row.created_at,
    createdBy: row.created_by,
    lastSuccessAt: row.last_success_at,
    lastFailureAt: row.last_failure_at,
    lastFailure: row.last_failure,
    failingSince: row.failing_since,
    offAt: row.off_at,
    offReason: row.off_reason,
    dropped: row.dropped,
  };
}
