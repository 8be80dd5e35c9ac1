import type { CrlPolicy } from '@sallyport/protocol';
import type { ExpiredListRule } from '@sallyport/trust';
import type { Kysely } from 'kysely';
import type { CrlRow } from '../database/revocation-rows.ts';
import type { Schema } from '../database/schema.ts';

/** One CA's list as it is stored, without its serial numbers, which are large. */
export interface StoredCrl {
  readonly accountId: string;
  /** SHA-256 over the public key that signed it. */
  readonly issuerKey: string;
  readonly issuer: string;
  readonly issuerKeyId: string | null;
  /** Fingerprint of the CA certificate that it was verified with. */
  readonly authority: string;
  readonly number: string | null;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly entries: number;
  readonly namesDistributionPoint: boolean;
  readonly digest: string;
  readonly serialsBytes: number;
  readonly uploadedAt: number;
  readonly uploadedBy: string;
}

const COLUMNS = [
  'account_id',
  'issuer_key',
  'issuer',
  'issuer_key_id',
  'authority',
  'number',
  'this_update',
  'next_update',
  'entries',
  'names_distribution_point',
  'digest',
  'serials_bytes',
  'uploaded_at',
  'uploaded_by',
] as const satisfies (keyof CrlRow)[];

export class CrlStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async ofAccount(accountId: string): Promise<StoredCrl[]> {
    const rows = await this.#database
      .selectFrom('crls')
      .select(COLUMNS)
      .where('account_id', '=', accountId)
      .orderBy('issuer')
      .orderBy('issuer_key')
      .execute();
    return rows.map(fromRow);
  }

  /** Takes the place of the list that the same key signed before. Its serial numbers have to be there: see CrlParts. */
  async put(crl: StoredCrl, nextNoticeAt: number | null): Promise<void> {
    const columns = {
      issuer: crl.issuer,
      issuer_key_id: crl.issuerKeyId,
      authority: crl.authority,
      number: crl.number,
      this_update: crl.thisUpdate.getTime(),
      next_update: crl.nextUpdate.getTime(),
      entries: crl.entries,
      names_distribution_point: crl.namesDistributionPoint ? (1 as const) : (0 as const),
      digest: crl.digest,
      serials_bytes: crl.serialsBytes,
      uploaded_at: crl.uploadedAt,
      uploaded_by: crl.uploadedBy,
      next_notice_at: nextNoticeAt,
    };
    await this.#database
      .insertInto('crls')
      .values({ account_id: crl.accountId, issuer_key: crl.issuerKey, ...columns })
      .onConflict((conflict) => conflict.columns(['account_id', 'issuer_key']).doUpdateSet(columns))
      .execute();
  }

  async delete(accountId: string, issuerKey: string): Promise<void> {
    await this.#database
      .deleteFrom('crls')
      .where('account_id', '=', accountId)
      .where('issuer_key', '=', issuerKey)
      .execute();
  }

  /** Lists whose age is to be told of, whosever they are. */
  async dueForNotice(now: number, limit: number): Promise<StoredCrl[]> {
    const rows = await this.#database
      .selectFrom('crls')
      .select(COLUMNS)
      .where('next_notice_at', '<=', now)
      .orderBy('next_notice_at')
      .limit(limit)
      .execute();
    return rows.map(fromRow);
  }

  /** True for the one caller that moved the moment on from where it was due; others were slower, or the list is a new one. */
  async takeNotice(crl: StoredCrl, now: number, nextNoticeAt: number | null): Promise<boolean> {
    const result = await this.#database
      .updateTable('crls')
      .set({ next_notice_at: nextNoticeAt })
      .where('account_id', '=', crl.accountId)
      .where('issuer_key', '=', crl.issuerKey)
      .where('digest', '=', crl.digest)
      .where('next_notice_at', '<=', now)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /** REFUSE for an account that has said nothing. */
  async policy(accountId: string): Promise<CrlPolicy> {
    const row = await this.#database
      .selectFrom('crl_policies')
      .select(['when_expired', 'stale_hours'])
      .where('account_id', '=', accountId)
      .executeTakeFirst();
    return row === undefined ? REFUSE : { whenExpired: row.when_expired, staleHours: row.stale_hours };
  }

  async putPolicy(accountId: string, { whenExpired, staleHours }: CrlPolicy): Promise<void> {
    const columns = { when_expired: whenExpired, stale_hours: staleHours };
    await this.#database
      .insertInto('crl_policies')
      .values({ account_id: accountId, ...columns })
      .onConflict((conflict) => conflict.column('account_id').doUpdateSet(columns))
      .execute();
  }
}

/**
 * Without being told otherwise an expired list refuses: whoever can keep the next list from being uploaded must not be
 * able to keep a revoked certificate alive with that (RFC 5280 6.3.3).
 */
const REFUSE: CrlPolicy = { whenExpired: 'REFUSE', staleHours: 0 };

export function ruleOf({ whenExpired, staleHours }: CrlPolicy): ExpiredListRule {
  return whenExpired === 'REFUSE' ? { whenExpired } : { whenExpired, staleHours };
}

function fromRow(row: Pick<CrlRow, (typeof COLUMNS)[number]>): StoredCrl {
  return {
    accountId: row.account_id,
    issuerKey: row.issuer_key,
    issuer: row.issuer,
    issuerKeyId: row.issuer_key_id,
    authority: row.authority,
    number: row.number,
    thisUpdate: new Date(row.this_update),
    nextUpdate: new Date(row.next_update),
    entries: row.entries,
    namesDistributionPoint: row.names_distribution_point === 1,
    digest: row.digest,
    serialsBytes: row.serials_bytes,
    uploadedAt: row.uploaded_at,
    uploadedBy: row.uploaded_by,
  };
}
