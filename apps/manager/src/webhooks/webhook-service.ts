import { randomUUID } from 'node:crypto';
import {
  type CreateWebhookRequest,
  SallyportError,
  type Webhook,
  type WebhookDelivery,
  type WebhookState,
} from '@sallyport/protocol';
import type { Kysely, Transaction } from 'kysely';
import { describePrincipal, mayEdit, type Principal } from '../access/principal.ts';
import { AuditStore } from '../audit/audit-store.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import type { SecretBox } from '../tokens/secret-box.ts';
import { type Delivery, DeliveryStore } from './delivery-store.ts';
import type { Outbox } from './outbox.ts';
import type { ReceiverRules } from './receiver-address.ts';
import { readReceiverUrl } from './receiver-url.ts';
import { makeSecret, secretText } from './signature.ts';
import { type StoredWebhook, WebhookStore } from './webhook-store.ts';

export interface WebhookCollaborators {
  readonly database: Kysely<Schema>;
  readonly clock: Clock;
  readonly secrets: SecretBox;
  readonly outbox: Outbox;
  readonly rules: ReceiverRules;
}

const MOST_WEBHOOKS = 10;
/** Tests of one account a minute. They are the requests that somebody else's server could be flooded with. */
const MOST_TESTS = 10;
const MINUTE_MS = 60_000;

/** Where an account wants to be told of what happens to its endpoint. */
export class WebhookService {
  readonly #parts: WebhookCollaborators;

  constructor(parts: WebhookCollaborators) {
    this.#parts = parts;
  }

  /** Oldest first, without secrets. */
  async list(accountId: string, by: Principal): Promise<Webhook[]> {
    const { database } = this.#parts;
    const waiting = await new DeliveryStore(database).waiting(accountId);
    const webhooks = await new WebhookStore(database).ofAccount(accountId);
    return webhooks.map((webhook) => describe(webhook, waiting.get(webhook.id) ?? 0, by));
  }

  /** The one answer that holds the signing secret. Throws INVALID_REQUEST for a URL, CONFLICT when there are too many. */
  async create(accountId: string, { url: text, events }: CreateWebhookRequest, by: Principal): Promise<Webhook> {
    const { secrets, clock, rules } = this.#parts;
    const url = readReceiverUrl(text, rules);
    const id = randomUUID();
    const secret = makeSecret();
    const webhook = {
      ...{ id, accountId, url: url.href, events: events === undefined ? null : [...new Set(events)] },
      ...{ createdAt: clock.now().getTime(), createdBy: describePrincipal(by) },
      sealedSecret: secrets.seal(secret, { accountId, webhookId: id }),
    };
    return this.#change(accountId, by, 'webhook.created', id, async (transaction, store) => {
      if ((await store.ofAccount(accountId)).length >= MOST_WEBHOOKS) {
        throw new SallyportError(
          'CONFLICT',
          `Account '${accountId}' has ${MOST_WEBHOOKS} webhooks, the most there are.`,
          {
            remedy: 'Remove one that is not needed, or send from one receiver to the others.',
          },
        );
      }
      await store.insert(webhook);
      const stored = found(id, await new WebhookStore(transaction).find(accountId, id));
      return [
        { ...describe(stored, 0, by), secret: secretText(secret) },
        { receiver: url.origin, events: webhook.events },
      ];
    });
  }

  /** When it resolves, nothing more is sent but an attempt that is under way. Throws ENTITY_NOT_FOUND. */
  async delete(accountId: string, id: string, by: Principal): Promise<void> {
    await this.#change(accountId, by, 'webhook.deleted', id, async (_transaction, store) => {
      const { url } = found(id, await store.find(accountId, id));
      await store.delete(accountId, id);
      return [undefined, { receiver: new URL(url).origin }];
    });
  }

  /** Queues a test, also for a webhook that is off: one that is delivered switches it on again. */
  async test(accountId: string, id: string, by: Principal): Promise<WebhookDelivery> {
    const { clock, outbox } = this.#parts;
    const at = clock.now().getTime();
    return this.#change(accountId, by, 'webhook.tested', id, async (transaction, store) => {
      const webhook = found(id, await store.find(accountId, id));
      // Counted in the audit log: deliveries go when their webhook is removed, and it could be added again at once.
      if ((await new AuditStore(transaction).countSince(accountId, 'webhook.tested', at - MINUTE_MS)) >= MOST_TESTS) {
        throw new SallyportError('TOO_MANY_REQUESTS', `Webhooks are tested at most ${MOST_TESTS} times a minute.`, {
          remedy: 'Wait for a minute.',
        });
      }
      const data = { webhook: id, askedBy: describePrincipal(by) };
      const delivery = await outbox.putFor(transaction, webhook, { accountId, type: 'webhook.test', at, data });
      const queued = found(delivery, await new DeliveryStore(transaction).find(accountId, delivery));
      return [describeDelivery(queued), { delivery }];
    });
  }

  /** Newest first. Throws ENTITY_NOT_FOUND. */
  async deliveries(accountId: string, id: string, limit: number): Promise<WebhookDelivery[]> {
    const { database } = this.#parts;
    found(id, await new WebhookStore(database).find(accountId, id));
    return (await new DeliveryStore(database).ofWebhook(accountId, id, limit)).map(describeDelivery);
  }

  /** With its audit event, in one transaction. The URL's path may be a secret of the receiver: it is not recorded. */
  async #change<R>(
    accountId: string,
    by: Principal,
    action: 'webhook.created' | 'webhook.deleted' | 'webhook.tested',
    subject: string,
    work: (transaction: Transaction<Schema>, store: WebhookStore) => Promise<[R, Readonly<Record<string, unknown>>]>,
  ): Promise<R> {
    const { database, clock } = this.#parts;
    return database.transaction().execute(async (transaction) => {
      const [result, details] = await work(transaction, new WebhookStore(transaction));
      const event = { accountId, at: clock.now(), actor: describePrincipal(by), action, subject, details };
      await new AuditStore(transaction).append(event);
      return result;
    });
  }
}

function found<T>(id: string, thing: T | null): T {
  if (thing !== null) return thing;
  throw new SallyportError('ENTITY_NOT_FOUND', `Webhook '${id.slice(0, 64)}' was not found.`, {
    remedy: "Name the uuid that the account's list of webhooks shows.",
  });
}

function describe(webhook: StoredWebhook, waiting: number, by: Principal): Webhook {
  const { id: uuid, url, events, createdAt, createdBy, lastSuccessAt, lastFailureAt, lastFailure, offReason } = webhook;
  return {
    ...{ uuid, createdAt, createdBy, lastSuccessAt, lastFailureAt, lastFailure, offReason, waiting },
    url: mayEdit(by) ? url : `${new URL(url).origin}/...`,
    events: events === null ? null : [...events],
    state: stateOf(webhook),
    dropped: webhook.dropped,
  };
}

function stateOf({ offAt, failingSince }: StoredWebhook): WebhookState {
  if (offAt !== null) return 'OFF';
  return failingSince === null ? 'ACTIVE' : 'FAILING';
}

function describeDelivery(delivery: Delivery): WebhookDelivery {
  const { id, webhookId, eventType, state, attempts, createdAt, lastAttemptAt, nextAttemptAt, status, error } =
    delivery;
  return {
    ...{ id, webhook: webhookId, event: eventType, state, attempts },
    ...{ createdAt, lastAttemptAt, nextAttemptAt, status, error },
  };
}
