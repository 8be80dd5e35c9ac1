import type { Kysely } from 'kysely';
import type { Schema } from '../database/schema.ts';

/** One delegate, by name, whose verified chain ended at a CA. */
export interface AuthorityUse {
  readonly fingerprint: string;
  readonly name: string;
  /** Epoch milliseconds; while it is in use, the moment that it came into use. */
  readonly lastUsed: number;
}

/** Which delegates' chains ended at which CA. Written with presence (see delegates/presence-writer.ts). */
export class AuthorityUseStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async ofAccount(accountId: string): Promise<AuthorityUse[]> {
    const rows = await this.#database
      .selectFrom('authority_uses')
      .selectAll()
      .where('account_id', '=', accountId)
      .orderBy('delegate_name')
      .execute();
    return rows.map((row) => ({ fingerprint: row.fingerprint, name: row.delegate_name, lastUsed: row.last_used }));
  }

  /** When a delegate of each name was last on mTLS. */
  async lastUseByName(accountId: string): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#database
      .selectFrom('authority_uses')
      .select((use) => ['delegate_name', use.fn.max('last_used').as('last_used')])
      .where('account_id', '=', accountId)
      .groupBy('delegate_name')
      .execute();
    return new Map(rows.map((row) => [row.delegate_name, Number(row.last_used)]));
  }
}
