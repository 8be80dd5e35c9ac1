import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** What readiness, CA rotation, changes that take themselves back, and webhooks keep. */
export async function trustOperations(database: Kysely<Schema>): Promise<void> {
  const { schema } = database;
  // SQLite adds one column a statement.
  for (const [column, type] of [
    ['mtls_seen_at', 'bigint'],
    ['mtls_certificate', 'text'],
    ['mtls_anchor', 'text'],
  ] as const) {
    await schema.alterTable('delegates').addColumn(column, type).execute();
  }
  await schema.createIndex('delegates_disconnected').on('delegates').column('disconnected_at').execute();

  await schema
    .createTable('authority_uses')
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('fingerprint', 'text', (c) => c.notNull())
    .addColumn('delegate_name', 'text', (c) => c.notNull())
    .addColumn('last_used', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('authority_uses_key', ['account_id', 'fingerprint', 'delegate_name'])
    .execute();

  await schema
    .createTable('endpoint_reverts')
    .addColumn('endpoint_uuid', 'text', (c) => c.primaryKey().references('mtls_endpoints.uuid').onDelete('cascade'))
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('revert_at', 'bigint', (c) => c.notNull())
    .addColumn('mode', 'text', (c) => c.notNull())
    .addColumn('ca_certificates', 'text', (c) => c.notNull())
    .addColumn('asked_by', 'text', (c) => c.notNull())
    .execute();
  await schema.createIndex('endpoint_reverts_due').on('endpoint_reverts').column('revert_at').execute();

  await schema
    .createTable('webhooks')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('url', 'text', (c) => c.notNull())
    .addColumn('events', 'text')
    .addColumn('secret_ciphertext', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('last_success_at', 'bigint')
    .addColumn('last_failure_at', 'bigint')
    .addColumn('last_failure', 'text')
    .addColumn('dropped', 'integer', (c) => c.notNull())
    .execute();
  await schema.createIndex('webhooks_account').on('webhooks').column('account_id').execute();

  await schema
    .createTable('webhook_deliveries')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('webhook_id', 'text', (c) => c.notNull().references('webhooks.id').onDelete('cascade'))
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('event_type', 'text', (c) => c.notNull())
    .addColumn('body', 'text', (c) => c.notNull())
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('next_attempt_at', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('webhook_deliveries_due').on('webhook_deliveries').column('next_attempt_at').execute();
  await schema.createIndex('webhook_deliveries_webhook').on('webhook_deliveries').column('webhook_id').execute();

  await schema
    .createTable('webhook_notices')
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('notice', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('webhook_notices_key', ['account_id', 'notice'])
    .execute();
}
