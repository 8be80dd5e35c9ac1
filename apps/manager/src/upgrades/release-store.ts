import type { UpgradeComponent, UpgradeRing } from '@sallyport/protocol';
import type { Kysely, Selectable } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { UpgradeReleaseRow } from '../database/upgrade-rows.ts';

/** Who halted a release that nobody halted. */
export const SYSTEM = 'system';

/** An image that was published to a ring. */
export interface Release {
  readonly id: string;
  readonly component: UpgradeComponent;
  readonly ring: UpgradeRing;
  readonly image: string;
  readonly allowOlder: boolean;
  readonly sequence: number;
  readonly status: 'ACTIVE' | 'HALTED';
  readonly publishedAt: number;
  readonly publishedBy: string;
  readonly haltedAt: number | null;
  readonly haltedReason: string | null;
  /** SYSTEM when it stopped by itself. */
  readonly haltedBy: string | null;
  readonly judgedFrom: number;
}

export type NewRelease = Pick<
  Release,
  'id' | 'component' | 'ring' | 'image' | 'allowOlder' | 'sequence' | 'publishedAt' | 'publishedBy'
>;

/** The rings: what was published to them, and which accounts they have. */
export class ReleaseStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  /** What the ring gives out now, halted or not. */
  async current(component: UpgradeComponent, ring: UpgradeRing): Promise<Release | null> {
    const row = await this.#latest(component, ring).executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** The latest of the ring that is not halted: what a new delegate begins with. */
  async given(component: UpgradeComponent, ring: UpgradeRing): Promise<Release | null> {
    const row = await this.#latest(component, ring).where('status', '=', 'ACTIVE').executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  #latest(component: UpgradeComponent, ring: UpgradeRing) {
    return this.#database
      .selectFrom('upgrade_releases')
      .selectAll()
      .where('component', '=', component)
      .where('ring', '=', ring)
      .orderBy('sequence', 'desc')
      .limit(1);
  }

  async find(id: string): Promise<Release | null> {
    const row = await this.#database.selectFrom('upgrade_releases').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** Rejects with a unique violation when the sequence number was taken meanwhile. */
  async insert(release: NewRelease): Promise<void> {
    const { id, component, ring, image, sequence } = release;
    await this.#database
      .insertInto('upgrade_releases')
      .values({
        ...{ id, component, ring, image, sequence },
        allow_older: release.allowOlder ? 1 : 0,
        status: 'ACTIVE',
        published_at: release.publishedAt,
        published_by: release.publishedBy,
        halted_at: null,
        halted_reason: null,
        halted_by: null,
        judged_from: release.publishedAt,
      })
      .execute();
  }

  /** True when it was active. */
  async halt(id: string, at: number, reason: string, by: string): Promise<boolean> {
    const result = await this.#database
      .updateTable('upgrade_releases')
      .set({ status: 'HALTED', halted_at: at, halted_reason: reason, halted_by: by })
      .where('id', '=', id)
      .where('status', '=', 'ACTIVE')
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /** True when it was halted. */
  async resume(id: string, at: number): Promise<boolean> {
    const result = await this.#database
      .updateTable('upgrade_releases')
      .set({ status: 'ACTIVE', halted_at: null, halted_reason: null, halted_by: null, judged_from: at })
      .where('id', '=', id)
      .where('status', '=', 'HALTED')
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  async ringOf(accountId: string): Promise<UpgradeRing> {
    const row = await this.#database
      .selectFrom('upgrade_account_rings')
      .select('ring')
      .where('account_id', '=', accountId)
      .executeTakeFirst();
    return row?.ring ?? 'stable';
  }

  async setRing(accountId: string, ring: UpgradeRing): Promise<void> {
    await this.#database
      .insertInto('upgrade_account_rings')
      .values({ account_id: accountId, ring })
      .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ ring }))
      .execute();
  }

  async accountsIn(ring: UpgradeRing): Promise<number> {
    const { count } = await this.#database
      .selectFrom('upgrade_account_rings')
      .select(({ fn }) => fn.countAll().as('count'))
      .where('ring', '=', ring)
      .executeTakeFirstOrThrow();
    return Number(count);
  }
}

function fromRow(row: Selectable<UpgradeReleaseRow>): Release {
  return {
    id: row.id,
    component: row.component,
    ring: row.ring,
    image: row.image,
    allowOlder: row.allow_older === 1,
    sequence: row.sequence,
    status: row.status,
    publishedAt: row.published_at,
    publishedBy: row.published_by,
    haltedAt: row.halted_at,
    haltedReason: row.halted_reason,
    haltedBy: row.halted_by,
    judgedFrom: row.judged_from,
  };
}
