import type { Transport } from '@sallyport/protocol';
import { PresentedCertificate } from '@sallyport/protocol/schemas';
import type { ExpressionBuilder, Transaction } from 'kysely';
import { Value } from 'typebox/value';
import { recordCertificates, type Sighting } from '../certificates/certificate-store.ts';
import { chunksOf } from '../database/chunks.ts';
import type { Schema } from '../database/schema.ts';
import { type CameInPlain, noteDowngrades } from '../webhooks/downgrade-news.ts';

/** What presence knows of a delegate that has come, changed its way in, or gone. */
export interface PresenceChange {
  readonly delegateId: string;
  readonly lastSeen: number;
  /** Null: it has gone. */
  readonly via: {
    readonly transport: Transport;
    readonly certificate: PresentedCertificate | null;
    /** Fingerprint of the bundle's CA that its chain ends at. */
    readonly anchor: string | null;
    readonly tokenId: string;
  } | null;
}

interface Known {
  readonly account_id: string;
  readonly name: string;
  readonly transport: Transport | null;
  readonly replica_id: string | null;
  readonly mtls_seen_at: number | null;
  readonly mtls_anchor: string | null;
  readonly mtls_certificate: string | null;
}

interface Use {
  readonly accountId: string;
  readonly fingerprint: string;
  readonly name: string;
  readonly lastUsed: number;
}

/**
 * Writes who has come, gone or changed its way in, in the caller's transaction, and with it when each was last on mTLS
 * and which CA its chain ended at; the certificates that came, and who came without one. In the order of their ids, so that two replicas never wait for each other.
 */
export async function writePresence(
  transaction: Transaction<Schema>,
  changes: readonly PresenceChange[],
  replicaId: string,
  now: number,
): Promise<void> {
  const sorted = [...changes].sort((a, b) => (a.delegateId < b.delegateId ? -1 : 1));
  const uses: Use[] = [];
  const sightings: Sighting[] = [];
  const plain: CameInPlain[] = [];
  for (const chunk of chunksOf(sorted)) {
    const known = await knownOf(transaction, chunk);
    for (const change of chunk) {
      const before = known.get(change.delegateId);
      // Deleted meanwhile.
      if (before === undefined) continue;
      if (change.via === null) await writeGone(transaction, change, replicaId, now);
      else await writeCome(transaction, change, change.via, replicaId);
      uses.push(...usesOf(change, before));
      sightings.push(...sightingsOf(change, before));
      if (change.via?.transport === 'PLAIN') plain.push(cameInPlain(change, before));
    }
  }
  await writeUses(transaction, uses);
  await recordCertificates(transaction, sightings);
  await noteDowngrades(transaction, plain);
}

/** For an update of delegates: those that were on mTLS until now were so until `at`. */
export function mtlsUntil(delegates: ExpressionBuilder<Schema, 'delegates'>, at: number) {
  return delegates
    .case()
    .when(delegates.and([delegates('transport', '=', 'MTLS'), delegates('replica_id', 'is not', null)]))
    .then(delegates.val(at))
    .else(delegates.ref('mtls_seen_at'))
    .end();
}

async function knownOf(transaction: Transaction<Schema>, changes: readonly PresenceChange[]) {
  const rows = await transaction
    .selectFrom('delegates')
    .select(['id', 'account_id', 'name', 'transport', 'replica_id', 'mtls_seen_at', 'mtls_anchor', 'mtls_certificate'])
    .where(
      'id',
      'in',
      changes.map(({ delegateId }) => delegateId),
    )
    .execute();
  return new Map<string, Known>(rows.map((row) => [row.id, row]));
}

async function writeGone(
  transaction: Transaction<Schema>,
  { delegateId, lastSeen }: PresenceChange,
  replicaId: string,
  now: number,
): Promise<void> {
  await transaction
    .updateTable('delegates')
    .set((set) => ({
      replica_id: null,
      last_seen: lastSeen,
      disconnected_at: now,
      mtls_seen_at: mtlsUntil(set, lastSeen),
    }))
    .where('id', '=', delegateId)
    // Only while it is still ours: it may have come back on another replica meanwhile.
    .where('replica_id', '=', replicaId)
    .execute();
}

async function writeCome(
  transaction: Transaction<Schema>,
  { delegateId, lastSeen }: PresenceChange,
  via: NonNullable<PresenceChange['via']>,
  replicaId: string,
): Promise<void> {
  const certificate = via.certificate === null ? null : JSON.stringify(via.certificate);
  await transaction
    .updateTable('delegates')
    .set((set) => ({
      replica_id: replicaId,
      last_seen: lastSeen,
      disconnected_at: null,
      transport: via.transport,
      certificate,
      // Null when the token was deleted meanwhile: one delegate's dead token must not fail the batch of everybody.
      token_id: set.selectFrom('delegate_tokens').select('delegate_tokens.id').where('id', '=', via.tokenId),
      ...(via.transport === 'MTLS'
        ? {
            mtls_seen_at: lastSeen,
            mtls_certificate: certificate,
            mtls_anchor: via.anchor,
            mtls_fingerprint: via.certificate?.fingerprint ?? null,
          }
        : { mtls_seen_at: mtlsUntil(set, lastSeen) }),
    }))
    .where('id', '=', delegateId)
    .execute();
}

/** The CA that its chain ends at now, and the one that it ended at until now or until it was last held. */
function usesOf({ via, lastSeen }: PresenceChange, before: Known): Use[] {
  const use = (fingerprint: string | null, lastUsed: number | null): Use[] =>
    fingerprint === null || lastUsed === null
      ? []
      : [{ accountId: before.account_id, fingerprint, name: before.name, lastUsed }];
  const heldOnMtls = before.transport === 'MTLS' && before.replica_id !== null;
  return [
    ...use(before.mtls_anchor, heldOnMtls ? lastSeen : before.mtls_seen_at),
    ...use(via?.anchor ?? null, lastSeen),
  ];
}

/** The certificate that it comes with now, and the one that it came with until now. */
function sightingsOf({ via, lastSeen }: PresenceChange, before: Known): Sighting[] {
  const sighting = (certificate: PresentedCertificate | null | undefined, anchor: string | null): Sighting[] =>
    certificate === null || certificate === undefined
      ? []
      : [{ accountId: before.account_id, certificate, anchor, at: lastSeen }];
  const left = before.transport === 'MTLS' && before.replica_id !== null ? before.mtls_certificate : null;
  return [
    ...sighting(left === null ? null : Value.Parse(PresentedCertificate, JSON.parse(left)), before.mtls_anchor),
    ...sighting(via?.certificate, via?.anchor ?? null),
  ];
}

function cameInPlain({ lastSeen: at }: PresenceChange, before: Known): CameInPlain {
  const heldOnMtls = before.transport === 'MTLS' && before.replica_id !== null;
  return { accountId: before.account_id, name: before.name, at, lastOnMtls: heldOnMtls ? at : before.mtls_seen_at };
}

async function writeUses(transaction: Transaction<Schema>, uses: readonly Use[]): Promise<void> {
  const latest = new Map<string, Use>();
  for (const use of uses) {
    const key = JSON.stringify([use.accountId, use.fingerprint, use.name]);
    const known = latest.get(key);
    if (known === undefined || known.lastUsed < use.lastUsed) latest.set(key, use);
  }
  const rows = [...latest]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { accountId, fingerprint, name, lastUsed }]) => ({
      account_id: accountId,
      fingerprint,
      delegate_name: name,
      last_used: lastUsed,
    }));
  for (const chunk of chunksOf(rows)) {
    await transaction
      .insertInto('authority_uses')
      .values(chunk)
      .onConflict((conflict) =>
        conflict
          .columns(['account_id', 'fingerprint', 'delegate_name'])
          .doUpdateSet((update) => ({ last_used: update.ref('excluded.last_used') }))
          .whereRef('authority_uses.last_used', '<', 'excluded.last_used'),
      )
      .execute();
  }
}
