import { randomUUID } from 'node:crypto';
import type { WebhookEventType } from '@sallyport/protocol';
import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { Tally } from '../metrics/tally.ts';
import { DeliveryStore } from './delivery-store.ts';
import { type StoredWebhook, WebhookStore, wants } from './webhook-store.ts';

export interface WebhookEvent {
  readonly accountId: string;
  readonly type: WebhookEventType;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Deliveries of an account that may wait: some MB at most, while its receivers are away. */
export const MOST_WAITING = 500;

export type DeliveryOutcome = 'delivered' | 'retried' | 'failed' | 'dropped';

/** Puts events on record for the webhooks that want them, in the transaction of what they tell of. */
export class Outbox {
  readonly counts = new Tally<DeliveryOutcome>();

  /** Nothing is written for an account whose webhooks do not want it; what does not fit any more is counted. */
  async put(transaction: Transaction<Schema>, event: WebhookEvent): Promise<void> {
    const store = new WebhookStore(transaction);
    const listening = (await store.ofAccount(event.accountId)).filter(
      ({ events, offAt }) => offAt === null && wants(events, event.type),
    );
    if (listening.length === 0) return;
    let waiting = 0;
    for (const count of (await new DeliveryStore(transaction).waiting(event.accountId)).values()) waiting += count;
    for (const webhook of listening) {
      if (waiting >= MOST_WAITING) {
        await store.countDropped(webhook.id);
        this.counts.add('dropped');
        continue;
      }
      await this.putFor(transaction, webhook, event);
      waiting += 1;
    }
  }

  /** For one webhook, whatever it wants. Returns the delivery's id. */
  async putFor(
    transaction: Transaction<Schema>,
    { id: webhookId }: StoredWebhook,
    event: WebhookEvent,
  ): Promise<string> {
    const { accountId, type, at, data } = event;
    const id = `msg_${randomUUID()}`;
    const timestamp = new Date(at).toISOString();
    const body = JSON.stringify({ type, timestamp, data: { accountIdentifier: accountId, ...data } });
    await new DeliveryStore(transaction).insert({ id, webhookId, accountId, eventType: type, body, createdAt: at });
    return id;
  }
}
