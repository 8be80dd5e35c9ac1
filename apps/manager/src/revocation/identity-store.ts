import type { AllowedIdentity, DelegatePin } from '@sallyport/protocol';
import { AllowedIdentities } from '@sallyport/protocol/schemas';
import type { Kysely, Selectable } from 'kysely';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { DelegatePinRow } from '../database/revocation-rows.ts';
import type { Schema } from '../database/schema.ts';

const Fingerprints = Type.Array(Type.String(), { minItems: 1 });

/** Allowed identities and delegates pinned to their certificates. What can't be read throws: then nobody is admitted. */
export class IdentityStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async allowed(accountId: string): Promise<AllowedIdentity[]> {
    const row = await this.#database
      .selectFrom('allowed_identities')
      .select('identities')
      .where('account_id', '=', accountId)
      .executeTakeFirst();
    return row === undefined ? [] : Value.Parse(AllowedIdentities.properties.identities, JSON.parse(row.identities));
  }

  async putAllowed(accountId: string, identities: readonly AllowedIdentity[], at: number, by: string): Promise<void> {
    const columns = { identities: JSON.stringify(identities), updated_at: at, updated_by: by };
    await this.#database
      .insertInto('allowed_identities')
      .values({ account_id: accountId, ...columns })
      .onConflict((conflict) => conflict.column('account_id').doUpdateSet(columns))
      .execute();
  }

  async pins(accountId: string): Promise<DelegatePin[]> {
    const rows = await this.#database
      .selectFrom('delegate_pins')
      .selectAll()
      .where('account_id', '=', accountId)
      .orderBy('delegate_name')
      .execute();
    return rows.map(fromRow);
  }

  async putPin(accountId: string, { delegateName, fingerprints, createdAt, createdBy }: DelegatePin): Promise<void> {
    const columns = { fingerprints: JSON.stringify(fingerprints), created_at: createdAt, created_by: createdBy };
    await this.#database
      .insertInto('delegate_pins')
      .values({ account_id: accountId, delegate_name: delegateName, ...columns })
      .onConflict((conflict) => conflict.columns(['account_id', 'delegate_name']).doUpdateSet(columns))
      .execute();
  }

  /** True when there was one. */
  async deletePin(accountId: string, delegateName: string): Promise<boolean> {
    const result = await this.#database
      .deleteFrom('delegate_pins')
      .where('account_id', '=', accountId)
      .where('delegate_name', '=', delegateName)
      .executeTakeFirst();
    return result.numDeletedRows > 0n;
  }
}

function fromRow(row: Selectable<DelegatePinRow>): DelegatePin {
  return {
    delegateName: row.delegate_name,
    fingerprints: Value.Parse(Fingerprints, JSON.parse(row.fingerprints)),
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}
