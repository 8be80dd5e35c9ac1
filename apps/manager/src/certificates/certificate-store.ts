import { PresentedCertificate } from '@sallyport/protocol/schemas';
import type { Kysely, Selectable, Transaction } from 'kysely';
import { Value } from 'typebox/value';
import { chunksOf } from '../database/chunks.ts';
import type { Schema } from '../database/schema.ts';
import type { ClientCertificateRow } from '../database/webhook-rows.ts';
import { DAY_MS, firstNoticeAt } from './expiry-notices.ts';

/** A client certificate that a registered delegate of the account came with. */
export interface SeenCertificate {
  readonly accountId: string;
  readonly certificate: PresentedCertificate;
  /** Fingerprint of the CA that its chain ended at; null when that could not be told. */
  readonly anchor: string | null;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly nextNoticeAt: number | null;
}

export type Sighting = Pick<SeenCertificate, 'accountId' | 'certificate' | 'anchor'> & { readonly at: number };

/** A certificate that no delegate uses leaves the list so long after it was last seen; one that has expired, sooner. */
const UNUSED_KEPT_MS = 30 * DAY_MS;
const EXPIRED_KEPT_MS = DAY_MS;

export class CertificateStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  /** Those that end first, first. */
  async ofAccount(accountId: string): Promise<SeenCertificate[]> {
    const rows = await this.#database
      .selectFrom('client_certificates')
      .selectAll()
      .where('account_id', '=', accountId)
      .orderBy('not_after')
      .orderBy('fingerprint')
      .execute();
    return rows.map(fromRow);
  }

  /** Those of the account that are due to be told of, by fingerprint. */
  async dueForNotice(accountId: string, now: number, limit: number): Promise<SeenCertificate[]> {
    const rows = await this.#database
      .selectFrom('client_certificates')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('next_notice_at', '<=', now)
      .orderBy('fingerprint')
      .limit(limit)
      .execute();
    return rows.map(fromRow);
  }

  /** False when another replica was first. */
  async takeNotice({ accountId, certificate, nextNoticeAt }: SeenCertificate, next: number | null): Promise<boolean> {
    const { numUpdatedRows } = await this.#database
      .updateTable('client_certificates')
      .set({ next_notice_at: next })
      .where('account_id', '=', accountId)
      .where('fingerprint', '=', certificate.fingerprint)
      .where('next_notice_at', '=', nextNoticeAt)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** What is no delegate's last certificate, and has not been seen for long. */
  async forgetUnused(now: number): Promise<void> {
    await this.#database
      .deleteFrom('client_certificates')
      .where('last_seen', '<', now - EXPIRED_KEPT_MS)
      .where((where) => where.or([where('last_seen', '<', now - UNUSED_KEPT_MS), where('not_after', '<', now)]))
      .where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom('delegates')
              .select('delegates.id')
              .whereRef('delegates.mtls_fingerprint', '=', 'client_certificates.fingerprint')
              .whereRef('delegates.account_id', '=', 'client_certificates.account_id'),
          ),
        ),
      )
      .execute();
  }
}

/**
 * Notes the certificates that delegates came with, and when the ones that they have left were last in use. In one order
 * everywhere, so that two replicas never wait for each other.
 */
export async function recordCertificates(
  transaction: Transaction<Schema>,
  sightings: readonly Sighting[],
): Promise<void> {
  const latest = new Map<string, Sighting>();
  for (const sighting of sightings) {
    const key = JSON.stringify([sighting.accountId, sighting.certificate.fingerprint]);
    const known = latest.get(key);
    if (known === undefined || known.at < sighting.at) latest.set(key, sighting);
  }
  const sorted = [...latest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sighting]) => sighting);
  for (const chunk of chunksOf(sorted)) {
    await transaction
      .insertInto('client_certificates')
      .values(chunk.map(toRow))
      .onConflict((conflict) =>
        conflict
          .columns(['account_id', 'fingerprint'])
          .doUpdateSet((update) => ({
            last_seen: update.ref('excluded.last_seen'),
            // Null: it could not be told this time.
            anchor: update.fn.coalesce('excluded.anchor', 'client_certificates.anchor'),
          }))
          .whereRef('client_certificates.last_seen', '<', 'excluded.last_seen'),
      )
      .execute();
  }
}

function toRow({ accountId, certificate, anchor, at }: Sighting): ClientCertificateRow {
  return {
    account_id: accountId,
    fingerprint: certificate.fingerprint,
    facts: JSON.stringify(certificate),
    not_after: certificate.notAfter,
    anchor,
    first_seen: at,
    last_seen: at,
    next_notice_at: firstNoticeAt(certificate, at),
  };
}

function fromRow(row: Selectable<ClientCertificateRow>): SeenCertificate {
  return {
    accountId: row.account_id,
    certificate: Value.Parse(PresentedCertificate, JSON.parse(row.facts)),
    anchor: row.anchor,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    nextNoticeAt: row.next_notice_at,
  };
}
