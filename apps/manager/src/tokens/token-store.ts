import type { TokenStatus } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { DelegateTokenRow, Schema } from '../database/schema.ts';
import { isListed } from '../delegates/gone-delegates.ts';

export interface StoredToken {
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  /** `org` or `org/project`; empty for the account itself. */
  readonly owner: string;
  readonly sealedSecret: string;
  readonly createdAt: number;
  /** Null for a default token. */
  readonly createdBy: string | null;
  readonly revokeAfter: number | null;
  readonly revokedAt: number | null;
}

export interface TokenUser {
  readonly delegateId: string;
  readonly delegateName: string;
  readonly type: string;
  readonly hostName: string;
  readonly version: string;
  readonly lastSeen: number;
  readonly connected: boolean;
  readonly token: StoredToken;
}

export class TokenStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  /** Rejects with a unique violation when the account has a token of this name, whatever its owner. */
  async insert(token: StoredToken): Promise<void> {
    await this.#database
      .insertInto('delegate_tokens')
      .values({
        id: token.id,
        account_id: token.accountId,
        name: token.name,
        owner: token.owner,
        secret_ciphertext: token.sealedSecret,
        status: token.revokedAt === null ? 'ACTIVE' : 'REVOKED',
        created_at: token.createdAt,
        created_by: token.createdBy,
        revoke_after: token.revokeAfter,
        revoked_at: token.revokedAt,
      })
      .execute();
  }

  async byName(accountId: string, owner: string, name: string): Promise<StoredToken | null> {
    const row = await this.#database
      .selectFrom('delegate_tokens')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('owner', '=', owner)
      .where('name', '=', name)
      .executeTakeFirst();
    return row === undefined ? null : toToken(row);
  }

  /** Oldest first; of one owner, or of all when `owner` is left out. */
  async list(accountId: string, owner?: string): Promise<StoredToken[]> {
    let query = this.#database.selectFrom('delegate_tokens').selectAll().where('account_id', '=', accountId);
    if (owner !== undefined) query = query.where('owner', '=', owner);
    return (await query.orderBy('created_at').orderBy('id').execute()).map(toToken);
  }

  /** Any one of them, to try the master key on. */
  async any(): Promise<StoredToken | null> {
    const row = await this.#database.selectFrom('delegate_tokens').selectAll().limit(1).executeTakeFirst();
    return row === undefined ? null : toToken(row);
  }

  async revoke(id: string, at: number): Promise<void> {
    await this.#database
      .updateTable('delegate_tokens')
      .set({ status: 'REVOKED', revoked_at: at })
      .where('id', '=', id)
      .execute();
  }

  async delete(id: string): Promise<void> {
    await this.#database.deleteFrom('delegate_tokens').where('id', '=', id).execute();
  }

  /** Forgets the tokens of the account that were revoked, or ran out, before this moment. */
  async purge(accountId: string, before: number): Promise<void> {
    await this.#database
      .deleteFrom('delegate_tokens')
      .where('account_id', '=', accountId)
      .where((where) => where.or([where('revoked_at', '<', before), where('revoke_after', '<', before)]))
      .execute();
  }

  /** The delegates that last came with one of the account's tokens; connected while their replica's lease runs. */
  async users(accountId: string, owner: string, now: number): Promise<TokenUser[]> {
    const tokens = new Map((await this.list(accountId, owner)).map((token) => [token.id, token]));
    const rows = await this.#database
      .selectFrom('delegates')
      .leftJoin('replicas', 'replicas.id', 'delegates.replica_id')
      .selectAll('delegates')
      .select('replicas.lease_until')
      .where('delegates.account_id', '=', accountId)
      .where('delegates.token_id', 'is not', null)
      .where(isListed(now))
      .orderBy('delegates.name')
      .orderBy('delegates.id')
      .execute();
    return rows.flatMap((row) => {
      const token = tokens.get(row.token_id ?? '');
      if (token === undefined) return [];
      const connected = row.lease_until !== null && row.lease_until > now;
      return [
        {
          delegateId: row.id,
          delegateName: row.name,
          type: row.type,
          hostName: row.host_name,
          version: row.version,
          lastSeen: row.last_seen,
          connected,
          token,
        },
      ];
    });
  }
}

/** A token is revoked by a person, or by its own `revokeAfter`: at that moment, not when somebody notices. */
export function tokenStatus(token: Pick<StoredToken, 'revokedAt' | 'revokeAfter'>, now: Date): TokenStatus {
  if (token.revokedAt !== null) return 'REVOKED';
  return token.revokeAfter !== null && token.revokeAfter <= now.getTime() ? 'REVOKED' : 'ACTIVE';
}

function toToken(row: DelegateTokenRow): StoredToken {
  return {
    id: row.id,
    accountId: row.account_id,
    name: row.name,
    owner: row.owner,
    sealedSecret: row.secret_ciphertext,
    createdAt: row.created_at,
    createdBy: row.created_by,
    revokeAfter: row.revoke_after,
    revokedAt: row.revoked_at,
  };
}
