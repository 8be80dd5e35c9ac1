import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { WebhookEventType } from '@sallyport/protocol';
import type { Principal } from '../src/access/principal.ts';
import { expiryNews } from '../src/certificates/expiry-news.ts';
import type { Database } from '../src/database/open-database.ts';
import { DelegateStore } from '../src/delegates/delegate-store.ts';
import { createLogger } from '../src/http/logger.ts';
import { SecretBox } from '../src/tokens/secret-box.ts';
import { Deliverer } from '../src/webhooks/deliverer.ts';
import { downgradeNews } from '../src/webhooks/downgrade-news.ts';
import { Outbox, type WebhookEvent } from '../src/webhooks/outbox.ts';
import { refusalNews } from '../src/webhooks/refusal-news.ts';
import { Sender } from '../src/webhooks/sender.ts';
import { Teller } from '../src/webhooks/teller.ts';
import { WebhookService } from '../src/webhooks/webhook-service.ts';

export const START = Date.UTC(2026, 5, 1);
export const ADMIN: Principal = { kind: 'account-admin', keyId: 'k1', name: 'admin', accountId: 'acme' };

const RULES = { privateAddresses: false, loopbackHttp: true };

/** Webhooks over a real database, with a clock that stands until it is moved, and real requests. */
export class WebhookRig {
  readonly clock = { at: START, now: () => new Date(this.clock.at) };
  readonly outbox = new Outbox();
  readonly webhooks: WebhookService;
  readonly deliverer: Deliverer;
  readonly #database: Database;
  readonly #t: TestContext;
  readonly #seen = new Set<string>();
  readonly #secrets = new SecretBox(createHash('sha256').update('master key of the tests').digest());

  private constructor(t: TestContext, database: Database) {
    this.#t = t;
    this.#database = database;
    const { clock, outbox } = this;
    const parts = { database: database.database, clock, outbox, secrets: this.#secrets, rules: RULES };
    this.webhooks = new WebhookService(parts);
    this.deliverer = this.replica('replica-1');
  }

  static async create(t: TestContext, database: Database, accounts: readonly string[] = ['acme']): Promise<WebhookRig> {
    for (const id of accounts) {
      const row = { id, name: id, mtls_enabled: 1 as const, created_at: START };
      await database.database.insertInto('accounts').values(row).execute();
    }
    const rig = new WebhookRig(t, database);
    for (const id of ['replica-1', 'replica-2']) await rig.lease(id, Number.MAX_SAFE_INTEGER);
    return rig;
  }

  lease(replicaId: string, until: number): Promise<void> {
    return new DelegateStore(this.#database.database).renewLease(replicaId, until);
  }

  replica(replicaId: string, options: { readonly masterKey?: Buffer; readonly timeLimitMs?: number } = {}): Deliverer {
    const { timeLimitMs = 10_000, masterKey } = options;
    const deliverer = new Deliverer({
      ...{ database: this.#database.database, replicaId, clock: this.clock, counts: this.outbox.counts },
      secrets: masterKey === undefined ? this.#secrets : new SecretBox(masterKey),
      sender: new Sender({ rules: RULES, extraCa: null, timeLimitMs }),
      logger: createLogger('silent'),
      random: () => 0.5,
    });
    this.#t.after(() => deliverer.stop());
    return deliverer;
  }

  /** Of one of the replicas; tells refusals, certificates and downgrades when it looks. */
  teller(): Teller {
    const { clock, outbox } = this;
    const logger = createLogger('silent');
    const news = [refusalNews, expiryNews, downgradeNews];
    const teller = new Teller({ database: this.#database.database, outbox, clock, logger, news });
    this.#t.after(() => teller.stop());
    return teller;
  }

  /** Data of the events of a type that were queued for acme since the last time, oldest first. */
  async queued<T>(type: WebhookEventType): Promise<T[]> {
    const rows = await this.#database.database
      .selectFrom('webhook_deliveries')
      .select(['id', 'body'])
      .where('account_id', '=', 'acme')
      .where('event_type', '=', type)
      .orderBy('created_at')
      .execute();
    const fresh = rows.filter(({ id }) => !this.#seen.has(id));
    for (const { id } of fresh) this.#seen.add(id);
    return fresh.map(({ body }) => (JSON.parse(body) as { data: T }).data);
  }

  async put(event: Partial<WebhookEvent> = {}): Promise<void> {
    const { clock, outbox } = this;
    await this.#database.database
      .transaction()
      .execute((transaction) =>
        outbox.put(transaction, { accountId: 'acme', type: 'endpoint.changed', at: clock.at, data: {}, ...event }),
      );
  }

  async add(url: string, accountId = 'acme'): Promise<string> {
    return (await this.webhooks.create(accountId, { url }, { ...ADMIN, accountId })).uuid;
  }

  /** Every attempt that is due now, and its outcome. */
  async deliver(deliverer = this.deliverer): Promise<void> {
    await deliverer.look();
    await deliverer.idle();
  }

  async only(webhook: string) {
    const [delivery] = await this.webhooks.deliveries('acme', webhook, 1);
    if (delivery === undefined) throw new Error('nothing was queued');
    return delivery;
  }

  async state(webhook: string) {
    const found = (await this.webhooks.list('acme', ADMIN)).find(({ uuid }) => uuid === webhook);
    if (found === undefined) throw new Error(`there is no webhook ${webhook}`);
    return found;
  }
}
