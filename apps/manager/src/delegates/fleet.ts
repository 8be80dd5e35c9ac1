import type { Transport } from '@sallyport/protocol';
import { PresentedCertificate } from '@sallyport/protocol/schemas';
import type { Kysely } from 'kysely';
import { Value } from 'typebox/value';
import type { Schema } from '../database/schema.ts';
import { isReplaced } from './gone-delegates.ts';

/** One instance of a delegate with what is known of its ways in: connected, or gone and still remembered. */
export interface FleetMember {
  readonly delegateId: string;
  readonly name: string;
  readonly hostName: string;
  readonly connected: boolean;
  /** Its last way in; null when it never got beyond its registration. */
  readonly transport: Transport | null;
  /** Epoch milliseconds; the moment of asking while it is connected. */
  readonly lastSeen: number;
  /** Its last time on mTLS; null when it was never. */
  readonly mtls: LastOnMtls | null;
}

export interface LastOnMtls {
  /** The moment of asking while it is. */
  readonly at: number;
  /** When it came with this certificate; equal to `at` when it has gone. */
  readonly since: number;
  readonly certificate: PresentedCertificate;
  /** The CA of the endpoint's bundle that its chain ended at; null when that could not be told. */
  readonly anchor: string | null;
}

/** All instances of the account but those whose place a newer one took. By name, then by id. */
export async function fleetOf(database: Kysely<Schema>, accountId: string, now: number): Promise<FleetMember[]> {
  const rows = await database
    .selectFrom('delegates')
    .leftJoin('replicas', 'replicas.id', 'delegates.replica_id')
    .select([
      'delegates.id',
      'delegates.name',
      'delegates.host_name',
      'delegates.transport',
      'delegates.last_seen',
      'delegates.disconnected_at',
      'delegates.mtls_seen_at',
      'delegates.mtls_certificate',
      'delegates.mtls_anchor',
      'replicas.lease_until',
    ])
    .where('delegates.account_id', '=', accountId)
    .where((where) => where.or([where('delegates.replica_id', 'is not', null), where.not(isReplaced(where))]))
    .orderBy('delegates.name')
    .orderBy('delegates.id')
    .execute();
  return rows.map((row) => {
    const connected = row.lease_until !== null;
    const onMtls = connected && row.transport === 'MTLS';
    return {
      delegateId: row.id,
      name: row.name,
      hostName: row.host_name,
      connected,
      transport: row.transport,
      lastSeen: connected ? now : Math.max(row.last_seen, row.disconnected_at ?? 0),
      mtls:
        row.mtls_seen_at === null || row.mtls_certificate === null
          ? null
          : {
              at: onMtls ? now : row.mtls_seen_at,
              since: row.mtls_seen_at,
              certificate: Value.Parse(PresentedCertificate, JSON.parse(row.mtls_certificate)),
              anchor: row.mtls_anchor,
            },
    };
  });
}
