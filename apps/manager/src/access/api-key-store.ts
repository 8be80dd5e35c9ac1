import type { ApiKeyRole } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { ApiKeyRow, Schema } from '../database/schema.ts';

export interface StoredApiKey {
  readonly id: string;
  readonly name: string;
  readonly role: ApiKeyRole;
  readonly accountId: string | null;
  readonly secretHash: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  readonly createdBy: string;
}

export class ApiKeyStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  /** False when a key with this id is there already; then nothing is written. */
  async insert(key: StoredApiKey): Promise<boolean> {
    const result = await this.#database
      .insertInto('api_keys')
      .values({
        id: key.id,
        name: key.name,
        role: key.role,
        account_id: key.accountId,
        secret_hash: key.secretHash,
        created_at: key.createdAt,
        expires_at: key.expiresAt,
        revoked_at: key.revokedAt,
        created_by: key.createdBy,
      })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .executeTakeFirst();
    return result.numInsertedOrUpdatedRows === 1n;
  }

  async get(id: string): Promise<StoredApiKey | null> {
    const row = await this.#database.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? null : toKey(row);
  }

  /** The keys of an account, or with null the operators', oldest first. */
  async list(accountId: string | null): Promise<StoredApiKey[]> {
    const query = this.#database.selectFrom('api_keys').selectAll();
    const scoped =
      accountId === null ? query.where('account_id', 'is', null) : query.where('account_id', '=', accountId);
    return (await scoped.orderBy('created_at').orderBy('id').execute()).map(toKey);
  }

  async revoke(id: string, at: number): Promise<void> {
    await this.#database.updateTable('api_keys').set({ revoked_at: at }).where('id', '=', id).execute();
  }
}

function toKey(row: ApiKeyRow): StoredApiKey {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    accountId: row.account_id,
    secretHash: row.secret_hash,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    createdBy: row.created_by,
  };
}
