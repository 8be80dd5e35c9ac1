import type { EndpointMode } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { EndpointRevertRow, Schema } from '../database/schema.ts';

/** A change that takes itself back: what comes back when, unless somebody confirms the change. */
export interface PendingRevert {
  readonly endpointUuid: string;
  readonly accountId: string;
  /** Epoch milliseconds. */
  readonly revertAt: number;
  readonly mode: EndpointMode;
  readonly caCertificates: string;
  readonly askedBy: string;
}

export class RevertStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async ofEndpoint(endpointUuid: string): Promise<PendingRevert | null> {
    const row = await this.#database
      .selectFrom('endpoint_reverts')
      .selectAll()
      .where('endpoint_uuid', '=', endpointUuid)
      .executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** With one pending already, its older state stays the one that comes back: only the moment is the new one. */
  async put(revert: PendingRevert): Promise<void> {
    await this.#database
      .insertInto('endpoint_reverts')
      .values({
        endpoint_uuid: revert.endpointUuid,
        account_id: revert.accountId,
        revert_at: revert.revertAt,
        mode: revert.mode,
        ca_certificates: revert.caCertificates,
        asked_by: revert.askedBy,
      })
      .onConflict((conflict) =>
        conflict.column('endpoint_uuid').doUpdateSet({ revert_at: revert.revertAt, asked_by: revert.askedBy }),
      )
      .execute();
  }

  /** Another state comes back, at the same moment. */
  async setWayBack(
    endpointUuid: string,
    { mode, caCertificates }: Pick<PendingRevert, 'mode' | 'caCertificates'>,
  ): Promise<void> {
    await this.#database
      .updateTable('endpoint_reverts')
      .set({ mode, ca_certificates: caCertificates })
      .where('endpoint_uuid', '=', endpointUuid)
      .execute();
  }

  /** What was pending, to the one caller who takes it; null for everybody after. With `dueAt`, only when it is due then. */
  async take(endpointUuid: string, dueAt?: number): Promise<PendingRevert | null> {
    let query = this.#database.deleteFrom('endpoint_reverts').where('endpoint_uuid', '=', endpointUuid);
    if (dueAt !== undefined) query = query.where('revert_at', '<=', dueAt);
    const row = await query.returningAll().executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** Those that are due at `now`, oldest first. */
  async due(now: number, limit: number): Promise<PendingRevert[]> {
    const rows = await this.#database
      .selectFrom('endpoint_reverts')
      .selectAll()
      .where('revert_at', '<=', now)
      .orderBy('revert_at')
      .limit(limit)
      .execute();
    return rows.map(fromRow);
  }

  /** When the next one after `now` is due; null when none is pending. */
  async nextAfter(now: number): Promise<number | null> {
    const row = await this.#database
      .selectFrom('endpoint_reverts')
      .select('revert_at')
      .where('revert_at', '>', now)
      .orderBy('revert_at')
      .limit(1)
      .executeTakeFirst();
    return row?.revert_at ?? null;
  }
}

function fromRow(row: EndpointRevertRow): PendingRevert {
  return {
    endpointUuid: row.endpoint_uuid,
    accountId: row.account_id,
    revertAt: row.revert_at,
    mode: row.mode,
    caCertificates: row.ca_certificates,
    askedBy: row.asked_by,
  };
}
