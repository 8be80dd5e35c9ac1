import type { Kysely, Transaction } from 'kysely';
import type { Logger } from 'pino';
import { AuditStore } from '../audit/audit-store.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import type { Tally } from '../metrics/tally.ts';
import { type SecretBox, SecretBoxError } from '../tokens/secret-box.ts';
import { DeliveryStore, type DueDelivery } from './delivery-store.ts';
import type { DeliveryOutcome } from './outbox.ts';
import { nextAttemptAt, OFF_AFTER_MS } from './schedule.ts';
import type { Sender, SendResult } from './sender.ts';
import { signedHeaders } from './signature.ts';
import { WebhookStore } from './webhook-store.ts';

export interface DelivererParts {
  readonly database: Kysely<Schema>;
  readonly replicaId: string;
  readonly secrets: SecretBox;
  readonly sender: Sender;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counts: Tally<DeliveryOutcome>;
  /** In [0, 1). */
  readonly random?: () => number;
}

const LOOK_EVERY_MS = 1_000;
/** An attempt without an outcome by then was lost with its replica. Longer than any attempt takes. */
const CLAIM_MS = 60_000;
/** Attempts at once of this process, and how many of them may be with receivers that fail or are slow. */
const MOST_AT_ONCE = 200;
const MOST_SLOW_AT_ONCE = 100;
const MOST_PER_ACCOUNT = 4;
const BATCH = 100;

/**
 * Empties the outbox. A webhook gets one message at a time, so that a receiver which comes back is not run over by what
 * has waited, and one that hangs holds up its own messages only. Every replica looks; a message is one's to send.
 */
export class Deliverer {
  readonly #parts: DelivererParts;
  readonly #store: DeliveryStore;
  readonly #timer: NodeJS.Timeout;
  readonly #stopping = new AbortController();
  readonly #inFlight = new Map<string, { readonly due: DueDelivery; readonly done: Promise<void> }>();
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: DelivererParts) {
    this.#parts = parts;
    this.#store = new DeliveryStore(parts.database);
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  /** Resolves when no attempt is under way any more; those that were are somebody else's at once. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort(new Error('the control plane is stopping'));
    await this.#looking;
    await this.idle();
  }

  /** Resolves when no attempt is under way, and none is due that there was room for. */
  async idle(): Promise<void> {
    while (this.#inFlight.size > 0) {
      await Promise.all([...this.#inFlight.values()].map(({ done }) => done));
      await this.#looking;
    }
  }

  /** Begins the attempts that are due, as far as there is room. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look(true));
    return this.#looking;
  }

  async #look(isWhole: boolean): Promise<void> {
    const { logger } = this.#parts;
    try {
      if (isWhole) await this.#store.releaseLost(this.#now());
      while (!this.#stopping.signal.aborted && this.#inFlight.size < MOST_AT_ONCE) {
        const due = await this.#store.due(this.#now(), BATCH, this.#busy());
        let begun = 0;
        for (const delivery of due) {
          if (!this.#hasRoomFor(delivery)) continue;
          if (await this.#begin(delivery)) begun += 1;
        }
        if (begun === 0) return;
      }
    } catch (error) {
      logger.error({ err: error }, 'the outbox of the webhooks could not be read; trying again');
    }
  }

  #busy() {
    const accounts = new Map<string, number>();
    for (const { due } of this.#inFlight.values()) accounts.set(due.accountId, (accounts.get(due.accountId) ?? 0) + 1);
    return {
      webhooks: [...this.#inFlight.keys()],
      accounts: [...accounts].filter(([, attempts]) => attempts >= MOST_PER_ACCOUNT).map(([accountId]) => accountId),
      onlyQuick: this.#slowInFlight() >= MOST_SLOW_AT_ONCE,
    };
  }

  #slowInFlight(): number {
    return [...this.#inFlight.values()].filter(({ due }) => due.slow).length;
  }

  #hasRoomFor({ webhookId, accountId, slow }: DueDelivery): boolean {
    if (this.#stopping.signal.aborted || this.#inFlight.size >= MOST_AT_ONCE || this.#inFlight.has(webhookId))
      return false;
    if (slow && this.#slowInFlight() >= MOST_SLOW_AT_ONCE) return false;
    return [...this.#inFlight.values()].filter(({ due }) => due.accountId === accountId).length < MOST_PER_ACCOUNT;
  }

  async #begin(due: DueDelivery): Promise<boolean> {
    const now = this.#now();
    if (!(await this.#store.claim(due, this.#parts.replicaId, now, now + CLAIM_MS))) return false;
    const done = this.#attempt({ ...due, attempts: due.attempts + 1 })
      .catch((error: unknown) => {
        // It is due again when the claim runs out: rather twice than never.
        this.#parts.logger.error({ err: error, delivery: due.id }, 'the outcome of a webhook was not recorded');
      })
      .finally(() => {
        this.#inFlight.delete(due.webhookId);
        // The next one of this receiver may be waiting.
        this.#looking = this.#looking.then(() => this.#look(false));
      });
    this.#inFlight.set(due.webhookId, { due, done });
    return true;
  }

  async #attempt(due: DueDelivery): Promise<void> {
    const { sender, replicaId, database } = this.#parts;
    const { signal } = this.#stopping;
    let result: SendResult;
    try {
      const headers = signedHeaders(due.id, this.#now(), due.body, this.#secretOf(due));
      result = await sender.send({ url: due.url, attempt: due.attempts, headers, body: due.body }, signal);
    } catch (error) {
      if (signal.aborted) return this.#store.giveBack(due.id, replicaId, this.#now());
      if (!(error instanceof SecretBoxError)) throw error;
      this.#parts.logger.error({ err: error, webhook: due.webhookId }, 'a webhook cannot be signed');
      result = {
        status: null,
        error: 'its secret cannot be decrypted: remove the webhook and add it again',
        durationMs: 0,
      };
    }
    await database.transaction().execute((transaction) => this.#record(transaction, due, result));
  }

  #secretOf({ sealedSecret, accountId, webhookId }: DueDelivery): Buffer {
    return this.#parts.secrets.open(sealedSecret, { accountId, webhookId });
  }

  async #record(transaction: Transaction<Schema>, due: DueDelivery, result: SendResult): Promise<void> {
    const { counts, random = Math.random, logger } = this.#parts;
    const { status, error, durationMs } = result;
    const webhooks = new WebhookStore(transaction);
    const deliveries = new DeliveryStore(transaction);
    const at = this.#now();
    const webhook = await webhooks.find(due.accountId, due.webhookId);
    // Removed meanwhile, and this delivery with it.
    if (webhook === null) return;
    const { accountId, id, offAt } = webhook;
    if (error === null) {
      await webhooks.succeeded(id, at, durationMs);
      await deliveries.finish(due, 'DELIVERED', { at, status, error });
      if (offAt !== null) await this.#audit(transaction, due, 'webhook.switched-on', 'a test was delivered');
      counts.add('delivered');
      return;
    }
    await webhooks.failed(id, at, error);
    // Whoever tests looks at the outcome, and tests again.
    const next = due.eventType === 'webhook.test' ? null : nextAttemptAt(due.attempts, at, random);
    logger.info({ accountId, webhook: id, delivery: due.id, attempt: due.attempts, status, next }, `webhook: ${error}`);
    if (next !== null && status !== 410 && offAt === null) {
      await deliveries.retryAt(due.id, next, { at, status, error });
      counts.add('retried');
      return;
    }
    await deliveries.finish(due, 'FAILED', { at, status, error });
    counts.add('failed');
    const reason =
      status === 410 ? 'it answered 410: gone for good' : reasonToSwitchOff(webhook.failingSince, at, error);
    if (reason === null || offAt !== null || !(await webhooks.switchOff(id, at, reason))) return;
    await deliveries.failAll(id, at, 'the webhook was switched off');
    await this.#audit(transaction, due, 'webhook.switched-off', reason);
    logger.warn({ accountId, webhook: id, reason }, 'a webhook was switched off');
  }

  async #audit(
    transaction: Transaction<Schema>,
    { accountId, webhookId }: DueDelivery,
    action: 'webhook.switched-off' | 'webhook.switched-on',
    reason: string,
  ): Promise<void> {
    const event = { accountId, at: new Date(this.#now()), actor: 'system', action, subject: webhookId };
    await new AuditStore(transaction).append({ ...event, details: { reason } });
  }

  #now(): number {
    return this.#parts.clock.now().getTime();
  }
}

function reasonToSwitchOff(failingSince: number | null, at: number, error: string): string | null {
  if (failingSince === null || at - failingSince < OFF_AFTER_MS) return null;
  return `nothing was delivered since ${new Date(failingSince).toISOString()}: ${error}`;
}
