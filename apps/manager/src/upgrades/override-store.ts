import type { Kysely } from 'kysely';
import type { Schema } from '../database/schema.ts';

/** A version that an account's delegates get in place of what its ring publishes. */
export interface Override {
  /** A tag, or a whole image reference. */
  readonly version: string;
  readonly allowOlder: boolean;
  readonly validUntil: number | null;
  /** Over as soon as the ring's publication has a higher sequence number. */
  readonly untilAfterSequence: number | null;
  readonly createdAt: number;
  readonly createdBy: string;
}

export class OverrideStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async find(accountId: string): Promise<Override | null> {
    const row = await this.#database
      .selectFrom('upgrade_overrides')
      .selectAll()
      .where('account_id', '=', accountId)
      .executeTakeFirst();
    if (row === undefined) return null;
    return {
      version: row.version,
      allowOlder: row.allow_older === 1,
      validUntil: row.valid_until,
      untilAfterSequence: row.until_after_sequence,
      createdAt: row.created_at,
      createdBy: row.created_by,
    };
  }

  async put(accountId: string, override: Override): Promise<void> {
    const columns = {
      version: override.version,
      allow_older: override.allowOlder ? (1 as const) : (0 as const),
      valid_until: override.validUntil,
      until_after_sequence: override.untilAfterSequence,
      created_at: override.createdAt,
      created_by: override.createdBy,
    };
    await this.#database
      .insertInto('upgrade_overrides')
      .values({ account_id: accountId, ...columns })
      .onConflict((conflict) => conflict.column('account_id').doUpdateSet(columns))
      .execute();
  }

  /** True when there was one. */
  async delete(accountId: string): Promise<boolean> {
    const result = await this.#database
      .deleteFrom('upgrade_overrides')
      .where('account_id', '=', accountId)
      .executeTakeFirst();
    return result.numDeletedRows > 0n;
  }
}

/** The override while it holds; `sequence` is the number of what the account's ring publishes now. */
export function inForce(override: Override | null, now: number, sequence: number): Override | null {
  if (override === null) return null;
  if (override.validUntil !== null && override.validUntil <= now) return null;
  return override.untilAfterSequence !== null && sequence > override.untilAfterSequence ? null : override;
}
