import type { Account } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { AccountRow, Schema } from '../database/schema.ts';

export class AccountStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  /** Rejects with a unique violation when the identifier is taken. */
  async insert(account: Account): Promise<void> {
    await this.#database
      .insertInto('accounts')
      .values({
        id: account.identifier,
        name: account.name,
        mtls_enabled: account.mtlsEnabled ? 1 : 0,
        created_at: account.createdAt,
      })
      .execute();
  }

  async exists(accountId: string): Promise<boolean> {
    return (await this.get(accountId)) !== null;
  }

  async get(accountId: string): Promise<Account | null> {
    const row = await this.#database.selectFrom('accounts').selectAll().where('id', '=', accountId).executeTakeFirst();
    return row === undefined ? null : toAccount(row);
  }

  async list(): Promise<Account[]> {
    return (await this.#database.selectFrom('accounts').selectAll().orderBy('id').execute()).map(toAccount);
  }

  async update(accountId: string, change: { name: string; mtlsEnabled: boolean }): Promise<void> {
    await this.#database
      .updateTable('accounts')
      .set({ name: change.name, mtls_enabled: change.mtlsEnabled ? 1 : 0 })
      .where('id', '=', accountId)
      .execute();
  }

  /** With everything that belongs to it; the audit log stays. */
  async delete(accountId: string): Promise<void> {
    await this.#database.deleteFrom('accounts').where('id', '=', accountId).execute();
  }
}

function toAccount(row: AccountRow): Account {
  return {
    identifier: row.id,
    name: row.name,
    status: 'ACTIVE',
    mtlsEnabled: row.mtls_enabled === 1,
    createdAt: row.created_at,
  };
}
