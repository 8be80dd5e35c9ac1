import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** Revocation lists, denied certificates, allowed identities, and delegates pinned to their certificates. */
export async function revocation(database: Kysely<Schema>): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('crls')
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('issuer_key', 'text', (c) => c.notNull())
    .addColumn('issuer', 'text', (c) => c.notNull())
    .addColumn('issuer_key_id', 'text')
    .addColumn('authority', 'text', (c) => c.notNull())
    .addColumn('number', 'text')
    .addColumn('this_update', 'bigint', (c) => c.notNull())
    .addColumn('next_update', 'bigint', (c) => c.notNull())
    .addColumn('entries', 'integer', (c) => c.notNull())
    .addColumn('names_distribution_point', 'integer', (c) => c.notNull())
    .addColumn('digest', 'text', (c) => c.notNull())
    .addColumn('serials_bytes', 'integer', (c) => c.notNull())
    .addColumn('uploaded_at', 'bigint', (c) => c.notNull())
    .addColumn('uploaded_by', 'text', (c) => c.notNull())
    .addColumn('next_notice_at', 'bigint')
    .addPrimaryKeyConstraint('crls_key', ['account_id', 'issuer_key'])
    .execute();
  await schema.createIndex('crls_next_notice').on('crls').column('next_notice_at').execute();

  await schema
    .createTable('crl_parts')
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('digest', 'text', (c) => c.notNull())
    .addColumn('part', 'integer', (c) => c.notNull())
    .addColumn('written_at', 'bigint', (c) => c.notNull())
    // SQLite takes bytes into a column of any type.
    .addColumn('bytes', 'bytea', (c) => c.notNull())
    .addPrimaryKeyConstraint('crl_parts_key', ['account_id', 'digest', 'part'])
    .execute();

  await schema
    .createTable('crl_policies')
    .addColumn('account_id', 'text', (c) => c.primaryKey().references('accounts.id').onDelete('cascade'))
    .addColumn('when_expired', 'text', (c) => c.notNull())
    .addColumn('stale_hours', 'integer', (c) => c.notNull())
    .execute();

  await schema
    .createTable('denied_certificates')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('fingerprint', 'text')
    .addColumn('issuer', 'text')
    .addColumn('serial_number', 'text')
    .addColumn('note', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .execute();
  await schema
    .createIndex('denied_certificates_account')
    .on('denied_certificates')
    .columns(['account_id', 'created_at'])
    .execute();

  await schema
    .createTable('allowed_identities')
    .addColumn('account_id', 'text', (c) => c.primaryKey().references('accounts.id').onDelete('cascade'))
    .addColumn('identities', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_by', 'text', (c) => c.notNull())
    .execute();

  await schema
    .createTable('delegate_pins')
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('delegate_name', 'text', (c) => c.notNull())
    .addColumn('fingerprints', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('delegate_pins_key', ['account_id', 'delegate_name'])
    .execute();
}
