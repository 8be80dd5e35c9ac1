import type { UpgradeComponent } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Schema } from '../database/schema.ts';

/** The last call of an upgrader about one delegate. */
export interface UpgraderCall {
  /** Empty when the upgrader does not say which delegate it keeps. */
  readonly delegateName: string;
  readonly tag: string;
  readonly at: number;
  readonly isCurrent: boolean;
}

/** An account's calls beyond these are answered and not remembered: names and tags are what its token holder sends. */
const MOST_CALLS = 2_000;
/** Calls are remembered for as long as somebody may wonder when an upgrader was last heard of. */
const REMEMBERED_MS = 7 * 86_400_000;

export class CheckStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async record(accountId: string, component: UpgradeComponent, call: UpgraderCall): Promise<void> {
    const { delegateName, tag, at, isCurrent } = call;
    const columns = { at, is_current: isCurrent ? (1 as const) : (0 as const) };
    const renewed = await this.#database
      .updateTable('upgrade_checks')
      .set(columns)
      .where('account_id', '=', accountId)
      .where('component', '=', component)
      .where('delegate_name', '=', delegateName)
      .where('tag', '=', tag)
      .executeTakeFirst();
    if (renewed.numUpdatedRows === 0n) {
      await this.#forget(accountId, at);
      const { count } = await this.#database
        .selectFrom('upgrade_checks')
        .select(({ fn }) => fn.countAll().as('count'))
        .where('account_id', '=', accountId)
        .executeTakeFirstOrThrow();
      if (Number(count) >= MOST_CALLS) return;
      await this.#database
        .insertInto('upgrade_checks')
        .values({ account_id: accountId, component, delegate_name: delegateName, tag, ...columns })
        .onConflict((conflict) =>
          conflict.columns(['account_id', 'component', 'delegate_name', 'tag']).doUpdateSet(columns),
        )
        .execute();
    }
  }

  /** About delegates, the latest first. */
  async ofAccount(accountId: string): Promise<UpgraderCall[]> {
    const rows = await this.#database
      .selectFrom('upgrade_checks')
      .select(['delegate_name', 'tag', 'at', 'is_current'])
      .where('account_id', '=', accountId)
      .where('component', '=', 'DELEGATE')
      .orderBy('at', 'desc')
      .orderBy('is_current', 'desc')
      .execute();
    return rows.map((row) => ({
      delegateName: row.delegate_name,
      tag: row.tag,
      at: row.at,
      isCurrent: row.is_current === 1,
    }));
  }

  async #forget(accountId: string, now: number): Promise<void> {
    await this.#database
      .deleteFrom('upgrade_checks')
      .where('account_id', '=', accountId)
      .where('at', '<', now - REMEMBERED_MS)
      .execute();
  }
}
