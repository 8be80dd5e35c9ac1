import { setImmediate as nextTurn } from 'node:timers/promises';
import { PresentedCertificate } from '@sallyport/protocol/schemas';
import type { Kysely, Selectable } from 'kysely';
import { Value } from 'typebox/value';
import type { RefusalRow, Schema } from '../database/schema.ts';
import { noteNewRefusals } from './new-refusals.ts';
import type { RefusalGroup, RefusalWriter } from './refusal-recorder.ts';

/** What an account keeps: the groups seen last. The bound holds for refusals without an account together, too. */
const KEPT_PER_ACCOUNT = 500;
/** SQLite's writes are made on the event loop: a flood's thousands of lines must not be one turn of it, nor a statement each. */
const ROWS_AT_ONCE = 50;

export class RefusalStore implements RefusalWriter {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  /** Adds the counts to the stored groups. A group whose account was deleted meanwhile is left out. */
  async add(groups: readonly RefusalGroup[]): Promise<void> {
    await this.#database.transaction().execute(async (transaction) => {
      const named = [...new Set(groups.flatMap(({ accountId }) => accountId ?? []))];
      const existing = new Set<string | null>([null]);
      if (named.length > 0) {
        const rows = await transaction.selectFrom('accounts').select('id').where('id', 'in', named).execute();
        for (const { id } of rows) existing.add(id);
      }
      // In one order everywhere: two replicas that write the same groups would otherwise wait for each other.
      const rows = groups
        .filter(({ accountId }) => existing.has(accountId))
        .map(toRow)
        .sort((a, b) => (a.id < b.id ? -1 : 1));
      await noteNewRefusals(transaction, rows);
      for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
        await upsert(transaction, rows.slice(start, start + ROWS_AT_ONCE));
        await nextTurn();
      }
      for (const accountId of new Set(rows.map((row) => row.account_id))) await trim(transaction, accountId);
    });
  }

  /** Those of the groups that are still kept, newest first. */
  async byIds(accountId: string, ids: readonly string[], limit: number): Promise<RefusalGroup[]> {
    if (ids.length === 0) return [];
    const rows = await this.#database
      .selectFrom('refusals')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('id', 'in', ids)
      .orderBy('last_seen', 'desc')
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map(fromRow);
  }

  /** Newest first. */
  async ofAccount(accountId: string, limit: number): Promise<RefusalGroup[]> {
    const rows = await this.#database
      .selectFrom('refusals')
      .selectAll()
      .where('account_id', '=', accountId)
      .orderBy('last_seen', 'desc')
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map(fromRow);
  }
}

/** The rows' ids differ: PostgreSQL refuses to write one twice in a statement. */
async function upsert(database: Kysely<Schema>, rows: readonly RefusalRow[]): Promise<void> {
  await database
    .insertInto('refusals')
    .values(rows)
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet((update) => ({
        last_seen: update.ref('excluded.last_seen'),
        count: update('refusals.count', '+', update.ref('excluded.count')),
        message: update.ref('excluded.message'),
        remedy: update.ref('excluded.remedy'),
        server_name: update.ref('excluded.server_name'),
        remote_address: update.ref('excluded.remote_address'),
        certificate: update.ref('excluded.certificate'),
      })),
    )
    .execute();
}

async function trim(database: Kysely<Schema>, accountId: string | null): Promise<void> {
  const ofAccount = database.selectFrom('refusals').where('account_id', accountId === null ? 'is' : '=', accountId);
  const excess = await ofAccount
    .select(['last_seen', 'id'])
    .orderBy('last_seen', 'desc')
    .orderBy('id')
    .offset(KEPT_PER_ACCOUNT)
    .limit(1)
    .executeTakeFirst();
  if (excess === undefined) return;
  await database
    .deleteFrom('refusals')
    .where('account_id', accountId === null ? 'is' : '=', accountId)
    .where((where) =>
      where.or([
        where('last_seen', '<', excess.last_seen),
        // A flood brings many of one millisecond.
        where.and([where('last_seen', '=', excess.last_seen), where('id', '>=', excess.id)]),
      ]),
    )
    .execute();
}

function toRow(group: RefusalGroup): RefusalRow {
  return {
    id: group.id,
    account_id: group.accountId,
    first_seen: group.firstSeen,
    last_seen: group.lastSeen,
    count: group.count,
    reason: group.reason,
    message: group.message,
    remedy: group.remedy,
    server_name: group.serverName,
    remote_address: group.remoteAddress,
    certificate: group.certificate === null ? null : JSON.stringify(group.certificate),
  };
}

function fromRow(row: Selectable<RefusalRow>): RefusalGroup {
  return {
    id: row.id,
    accountId: row.account_id,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    count: row.count,
    reason: row.reason,
    message: row.message,
    remedy: row.remedy,
    serverName: row.server_name,
    remoteAddress: row.remote_address,
    certificate: row.certificate === null ? null : Value.Parse(PresentedCertificate, JSON.parse(row.certificate)),
  };
}
