import type { EndpointMode } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { MtlsEndpointRow, Schema } from '../database/schema.ts';

export interface MtlsEndpoint {
  readonly uuid: string;
  readonly accountId: string;
  /** Canonical: lower case, without a trailing dot. */
  readonly fqdn: string;
  /** PEM text exactly as it was sent. */
  readonly caCertificates: string;
  readonly mode: EndpointMode;
  /** Grows by one with every change. */
  readonly revision: number;
}

export class EndpointStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async byAccount(accountId: string): Promise<MtlsEndpoint | null> {
    return this.#find('account_id', accountId);
  }

  /** The name has to be canonical. */
  async byFqdn(fqdn: string): Promise<MtlsEndpoint | null> {
    return this.#find('fqdn', fqdn);
  }

  /** As byAccount; in a transaction nobody else changes it until the end of that, on either database. */
  async lock(accountId: string): Promise<MtlsEndpoint | null> {
    // SQLite knows no SELECT ... FOR UPDATE; an update that changes nothing locks the row on PostgreSQL alike.
    const row = await this.#database
      .updateTable('mtls_endpoints')
      .set((set) => ({ revision: set.ref('revision') }))
      .where('account_id', '=', accountId)
      .returningAll()
      .executeTakeFirst();
    return row === undefined ? null : toEndpoint(row);
  }

  /** Rejects with a unique violation when the account has an endpoint, or another account has the name. */
  async insert(endpoint: Omit<MtlsEndpoint, 'revision'>, at: Date): Promise<MtlsEndpoint> {
    const now = at.getTime();
    await this.#database
      .insertInto('mtls_endpoints')
      .values({
        uuid: endpoint.uuid,
        account_id: endpoint.accountId,
        fqdn: endpoint.fqdn,
        ca_certificates: endpoint.caCertificates,
        mode: endpoint.mode,
        revision: 1,
        created_at: now,
        updated_at: now,
      })
      .execute();
    return { ...endpoint, revision: 1 };
  }

  /** The endpoint after the change, null when it is gone. Rejects with a unique violation when the name is taken. */
  async update(
    uuid: string,
    change: Partial<Pick<MtlsEndpoint, 'fqdn' | 'caCertificates' | 'mode'>>,
    at: Date,
  ): Promise<MtlsEndpoint | null> {
    const row = await this.#database
      .updateTable('mtls_endpoints')
      .set((set) => ({
        ...(change.fqdn !== undefined && { fqdn: change.fqdn }),
        ...(change.caCertificates !== undefined && { ca_certificates: change.caCertificates }),
        ...(change.mode !== undefined && { mode: change.mode }),
        revision: set('revision', '+', 1),
        updated_at: at.getTime(),
      }))
      .where('uuid', '=', uuid)
      .returningAll()
      .executeTakeFirst();
    return row === undefined ? null : toEndpoint(row);
  }

  async delete(uuid: string): Promise<void> {
    await this.#database.deleteFrom('mtls_endpoints').where('uuid', '=', uuid).execute();
  }

  async #find(column: 'account_id' | 'fqdn', value: string): Promise<MtlsEndpoint | null> {
    const row = await this.#database
      .selectFrom('mtls_endpoints')
      .selectAll()
      .where(column, '=', value)
      .executeTakeFirst();
    return row === undefined ? null : toEndpoint(row);
  }
}

function toEndpoint(row: MtlsEndpointRow): MtlsEndpoint {
  return {
    uuid: row.uuid,
    accountId: row.account_id,
    fqdn: row.fqdn,
    caCertificates: row.ca_certificates,
    mode: row.mode,
    revision: row.revision,
  };
}
