import { randomUUID } from 'node:crypto';
import type { AuditEvent } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { AuditEventRow, Schema } from '../database/schema.ts';

export type AuditAction =
  | 'account.created'
  | 'account.updated'
  | 'account.deleted'
  | 'api-key.created'
  | 'api-key.revoked'
  | 'log-token.created'
  | 'logs.deleted'
  | 'delegate-token.created'
  | 'delegate-token.revoked'
  | 'delegate-token.deleted'
  | 'endpoint.created'
  | 'endpoint.updated'
  | 'endpoint.confirmed'
  | 'endpoint.reverted'
  | 'endpoint.deleted'
  | 'webhook.created'
  | 'webhook.deleted'
  | 'webhook.tested'
  | 'webhook.switched-off'
  | 'webhook.switched-on'
  | 'crl.uploaded'
  | 'crl.suspicious'
  | 'crl.ageing'
  | 'crl.deleted'
  | 'crl-policy.updated'
  | 'denied-certificate.added'
  | 'denied-certificate.removed'
  | 'allowed-identities.updated'
  | 'delegate.pinned'
  | 'delegate.unpinned'
  | 'upgrade.published'
  | 'upgrade.halted'
  | 'upgrade.resumed'
  | 'upgrade.ring-set'
  | 'upgrade.override-set'
  | 'upgrade.override-removed';

export interface NewAuditEvent {
  readonly accountId: string | null;
  readonly at: Date;
  readonly actor: string;
  readonly action: AuditAction;
  readonly subject: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface AuditQuery {
  /** Null: whatever the account. */
  readonly accountId: string | null;
  /** Events before this moment are left out. */
  readonly since: number;
  /** Continue after this event of an earlier page. */
  readonly before?: string;
  readonly limit: number;
}

/** Who changed what. Given a transaction, an event is written exactly when the change is. */
export class AuditStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async append({ accountId, at, actor, action, subject, details = {} }: NewAuditEvent): Promise<void> {
    const row = { id: randomUUID(), account_id: accountId, at: at.getTime(), actor, action, subject };
    await this.#database
      .insertInto('audit_events')
      .values({ ...row, details: JSON.stringify(details) })
      .execute();
  }

  /** How often something was done to the account since a moment. */
  async countSince(accountId: string, action: AuditAction, since: number): Promise<number> {
    const { times } = await this.#database
      .selectFrom('audit_events')
      .select((row) => row.fn.countAll<number>().as('times'))
      .where('account_id', '=', accountId)
      .where('at', '>=', since)
      .where('action', '=', action)
      .executeTakeFirstOrThrow();
    return Number(times);
  }

  /** Whether an event of the account has this detail; name and value of letters and digits only. */
  async has(accountId: string, action: AuditAction, detail: string, value: string): Promise<boolean> {
    const event = await this.#database
      .selectFrom('audit_events')
      .select('id')
      .where('account_id', '=', accountId)
      .where('action', '=', action)
      .where('details', 'like', `%"${detail}":"${value}"%`)
      .limit(1)
      .executeTakeFirst();
    return event !== undefined;
  }

  /** Newest first. An unknown `before` gives an empty page. */
  async list({ accountId, since, before, limit }: AuditQuery): Promise<AuditEvent[]> {
    let query = this.#database.selectFrom('audit_events').selectAll().where('at', '>=', since);
    if (accountId !== null) query = query.where('account_id', '=', accountId);
    if (before !== undefined) {
      const last = await this.#database
        .selectFrom('audit_events')
        .select(['at', 'id'])
        .where('id', '=', before)
        .executeTakeFirst();
      if (last === undefined) return [];
      query = query.where((where) =>
        where.or([where('at', '<', last.at), where.and([where('at', '=', last.at), where('id', '<', last.id)])]),
      );
    }
    const rows = await query.orderBy('at', 'desc').orderBy('id', 'desc').limit(limit).execute();
    return rows.map(toEvent);
  }
}

function toEvent(row: AuditEventRow): AuditEvent {
  return {
    uuid: row.id,
    accountIdentifier: row.account_id,
    at: row.at,
    actor: row.actor,
    action: row.action,
    subject: row.subject,
    details: JSON.parse(row.details),
  };
}
