import type { DeniedCertificateEntry } from '@sallyport/protocol';
import type { Kysely, Selectable } from 'kysely';
import type { DeniedCertificateRow } from '../database/revocation-rows.ts';
import type { Schema } from '../database/schema.ts';

export class DeniedCertificateStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  /** Oldest first. */
  async ofAccount(accountId: string): Promise<DeniedCertificateEntry[]> {
    const rows = await this.#database
      .selectFrom('denied_certificates')
      .selectAll()
      .where('account_id', '=', accountId)
      .orderBy('created_at')
      .orderBy('id')
      .execute();
    return rows.map(fromRow);
  }

  async insert(accountId: string, entry: DeniedCertificateEntry): Promise<void> {
    await this.#database
      .insertInto('denied_certificates')
      .values({
        id: entry.uuid,
        account_id: accountId,
        fingerprint: entry.fingerprint,
        issuer: entry.issuer,
        serial_number: entry.serialNumber,
        note: entry.note,
        created_at: entry.createdAt,
        created_by: entry.createdBy,
      })
      .execute();
  }

  async delete(accountId: string, uuid: string): Promise<void> {
    await this.#database
      .deleteFrom('denied_certificates')
      .where('account_id', '=', accountId)
      .where('id', '=', uuid)
      .execute();
  }
}

function fromRow(row: Selectable<DeniedCertificateRow>): DeniedCertificateEntry {
  return {
    uuid: row.id,
    fingerprint: row.fingerprint,
    issuer: row.issuer,
    serialNumber: row.serial_number,
    note: row.note,
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}
