import type { Transport } from '@sallyport/protocol';
import { PresentedCertificate } from '@sallyport/protocol/schemas';
import type { Kysely, Selectable } from 'kysely';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { DelegateRow, Schema } from '../database/schema.ts';
import { isListed, isReplaced, LISTED_AFTER_LEAVING_MS, REMEMBERED_MS } from './gone-delegates.ts';
import { mtlsUntil, type PresenceChange, writePresence } from './presence-writer.ts';

/** One running instance of a delegate, as it registered. */
export interface Delegate {
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly hostName: string;
  readonly ip: string;
  readonly version: string;
  readonly tags: readonly string[];
  readonly supportedTaskTypes: readonly string[];
  readonly polling: boolean;
  readonly tokenId: string | null;
  readonly transport: Transport | null;
  readonly certificate: PresentedCertificate | null;
  readonly registeredAt: number;
  readonly lastSeen: number;
  /** Held by a replica whose lease runs. */
  readonly connected: boolean;
}

export type Registration = Omit<Delegate, 'connected' | 'registeredAt' | 'lastSeen'>;

const Strings = Type.Array(Type.String());

export class DelegateStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async find(accountId: string, id: string): Promise<Delegate | null> {
    const row = await this.#select()
      .where('delegates.id', '=', id)
      .where('delegates.account_id', '=', accountId)
      .executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** A gone instance of the same name on the same host: a restart takes its place instead of leaving a ghost. */
  async findGone(accountId: string, name: string, hostName: string): Promise<Delegate | null> {
    const row = await this.#select()
      .where('delegates.account_id', '=', accountId)
      .where('delegates.name', '=', name)
      .where('delegates.host_name', '=', hostName)
      .where('delegates.replica_id', 'is', null)
      .orderBy('delegates.last_seen', 'desc')
      .executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** Those that are connected or left within the last hours. */
  async ofAccount(accountId: string, now: number): Promise<Delegate[]> {
    const rows = await this.#select()
      .where('delegates.account_id', '=', accountId)
      .where(isListed(now))
      .orderBy('delegates.name')
      .orderBy('delegates.id')
      .execute();
    return rows.map(fromRow);
  }

  /** Inserts the delegate, held by the replica, or overwrites what it says of itself; presence writes how it comes. */
  async register(registration: Registration, replicaId: string, now: number): Promise<void> {
    const columns = {
      name: registration.name,
      type: registration.type,
      description: registration.description,
      host_name: registration.hostName,
      ip: registration.ip,
      version: registration.version,
      tags: JSON.stringify(registration.tags),
      supported_task_types: JSON.stringify(registration.supportedTaskTypes),
      polling: registration.polling ? (1 as const) : (0 as const),
    };
    const held = {
      transport: registration.transport,
      certificate: registration.certificate === null ? null : JSON.stringify(registration.certificate),
      token_id: registration.tokenId,
      replica_id: replicaId,
      last_seen: now,
      disconnected_at: null,
    };
    await this.#database
      .insertInto('delegates')
      .values({ id: registration.id, account_id: registration.accountId, registered_at: now, ...columns, ...held })
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet(columns).where('delegates.account_id', '=', registration.accountId),
      )
      .execute();
  }

  /** Writes a batch in one transaction: a replica that restarts has thousands come back within seconds. */
  async writePresence(changes: readonly PresenceChange[], replicaId: string, now: number): Promise<void> {
    await this.#database.transaction().execute((transaction) => writePresence(transaction, changes, replicaId, now));
  }

  /** True when there was such a delegate. */
  async delete(accountId: string, name: string): Promise<boolean> {
    const result = await this.#database
      .deleteFrom('delegates')
      .where('account_id', '=', accountId)
      .where((where) => where.or([where('name', '=', name), where('id', '=', name)]))
      .executeTakeFirst();
    return result.numDeletedRows > 0n;
  }

  /** Gone instances that no list shows any more: at once when another one took their place, all of them in the end. */
  async forgetGone(now: number): Promise<void> {
    await this.#database
      .deleteFrom('delegates')
      .where('replica_id', 'is', null)
      .where('disconnected_at', '<', now - LISTED_AFTER_LEAVING_MS)
      .where((where) => where.or([where('disconnected_at', '<', now - REMEMBERED_MS), isReplaced(where)]))
      .execute();
    await this.#database
      .deleteFrom('authority_uses')
      .where('last_used', '<', now - REMEMBERED_MS)
      .execute();
  }

  async renewLease(replicaId: string, until: number): Promise<void> {
    await this.#database
      .insertInto('replicas')
      .values({ id: replicaId, lease_until: until })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ lease_until: until }))
      .execute();
  }

  /** Delegates held by replicas whose lease ran out are gone since then. Returns how many there were. */
  async releaseExpired(now: number): Promise<number> {
    return this.#release(now, (query) => query.where('lease_until', '<', now));
  }

  /** For a database that only one process can use: whoever else held a delegate is gone. */
  async releaseOthers(replicaId: string, now: number): Promise<number> {
    return this.#release(now, (query) => query.where('id', '!=', replicaId));
  }

  async releaseReplica(replicaId: string, now: number): Promise<number> {
    return this.#release(now, (query) => query.where('id', '=', replicaId));
  }

  async #release(now: number, filter: (query: ReplicaQuery) => ReplicaQuery): Promise<number> {
    return this.#database.transaction().execute(async (transaction) => {
      const replicas = await filter(transaction.selectFrom('replicas').select('id')).execute();
      if (replicas.length === 0) return 0;
      const ids = replicas.map(({ id }) => id);
      const released = await transaction
        .updateTable('delegates')
        .set((set) => ({ replica_id: null, disconnected_at: now, mtls_seen_at: mtlsUntil(set, now) }))
        .where('replica_id', 'in', ids)
        .executeTakeFirst();
      await transaction.deleteFrom('replicas').where('id', 'in', ids).execute();
      return Number(released.numUpdatedRows);
    });
  }

  #select() {
    return this.#database
      .selectFrom('delegates')
      .leftJoin('replicas', 'replicas.id', 'delegates.replica_id')
      .selectAll('delegates')
      .select('replicas.lease_until');
  }
}

type ReplicaQuery = ReturnType<typeof replicaQuery>;
const replicaQuery = (database: Kysely<Schema>) => database.selectFrom('replicas').select('id');

function fromRow(row: Selectable<DelegateRow> & { lease_until: number | null }): Delegate {
  return {
    id: row.id,
    accountId: row.account_id,
    name: row.name,
    type: row.type,
    description: row.description,
    hostName: row.host_name,
    ip: row.ip,
    version: row.version,
    tags: Value.Parse(Strings, JSON.parse(row.tags)),
    supportedTaskTypes: Value.Parse(Strings, JSON.parse(row.supported_task_types)),
    polling: row.polling === 1,
    tokenId: row.token_id,
    transport: row.transport,
    certificate: row.certificate === null ? null : Value.Parse(PresentedCertificate, JSON.parse(row.certificate)),
    registeredAt: row.registered_at,
    lastSeen: row.last_seen,
    connected: row.replica_id !== null && row.lease_until !== null,
  };
}
