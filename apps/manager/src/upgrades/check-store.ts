import type { UpgradeComponent, UpgradeRing } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Kept } from './halting-rule.ts';

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

  /** What was called about since then, in a ring or in one account. */
  async kept(
    component: UpgradeComponent,
    since: number,
    of: { ring: UpgradeRing } | { accountId: string },
  ): Promise<Kept> {
    const calls = this.#since(component, since, of).select(['upgrade_checks.account_id', 'delegate_name']).distinct();
    const { accounts, delegates } = await this.#database
      .selectFrom(calls.as('calls'))
      .select(({ fn }) => [fn.count('account_id').distinct().as('accounts'), fn.countAll().as('delegates')])
      .executeTakeFirstOrThrow();
    return { accounts: Number(accounts), delegates: Number(delegates) };
  }

  /**
   * How many accounts of a ring have delegates or upgraders, or had some as far as is known: also those that are silent at
   * the moment, as after the manager was away.
   */
  async accountsOf(ring: UpgradeRing): Promise<number> {
    const { count } = await this.#database
      .selectFrom('accounts')
      .leftJoin('upgrade_account_rings', 'upgrade_account_rings.account_id', 'accounts.id')
      .select(({ fn }) => fn.countAll().as('count'))
      .where(({ fn, val }) => fn.coalesce('upgrade_account_rings.ring', val('stable')), '=', ring)
      .where(({ or, exists, selectFrom }) =>
        or(
          (['delegates', 'upgrade_checks', 'upgrade_attempts'] as const).map((table) =>
            exists(selectFrom(table).select('account_id').whereRef('account_id', '=', 'accounts.id')),
          ),
        ),
      )
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Who said since then that it has one of the tags, and was told to stay there. */
  async current(
    component: UpgradeComponent,
    ring: UpgradeRing,
    tags: readonly string[],
    since: number,
  ): Promise<{ readonly accountId: string; readonly delegateName: string }[]> {
    const rows = await this.#since(component, since, { ring })
      .select(['upgrade_checks.account_id', 'delegate_name'])
      .distinct()
      .where('is_current', '=', 1)
      .where('tag', 'in', tags)
      .execute();
    return rows.map((row) => ({ accountId: row.account_id, delegateName: row.delegate_name }));
  }

  #since(component: UpgradeComponent, since: number, of: { ring: UpgradeRing } | { accountId: string }) {
    const calls = this.#database
      .selectFrom('upgrade_checks')
      .leftJoin('upgrade_account_rings', 'upgrade_account_rings.account_id', 'upgrade_checks.account_id')
      .where('component', '=', component)
      .where('at', '>=', since);
    if ('accountId' in of) return calls.where('upgrade_checks.account_id', '=', of.accountId);
    // Who was put into none is in the stable one.
    return calls.where(({ fn, val }) => fn.coalesce('upgrade_account_rings.ring', val('stable')), '=', of.ring);
  }

  async #forget(accountId: string, now: number): Promise<void> {
    await this.#database
      .deleteFrom('upgrade_checks')
      .where('account_id', '=', accountId)
      .where('at', '<', now - REMEMBERED_MS)
      .execute();
  }
}
