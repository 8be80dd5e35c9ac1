import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** Webhooks with their outbox, what they tell of, and the client certificates that delegates come with. */
export async function webhooks(database: Kysely<Schema>): Promise<void> {
  const { schema } = database;
  // 0002 made tables for webhooks, and no version ever wrote to them.
  for (const table of ['webhook_notices', 'webhook_deliveries', 'webhooks']) await schema.dropTable(table).execute();

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
    .addColumn('failing_since', 'bigint')
    .addColumn('last_duration_ms', 'integer', (c) => c.notNull())
    .addColumn('off_at', 'bigint')
    .addColumn('off_reason', 'text')
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
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('next_attempt_at', 'bigint')
    .addColumn('claimed_by', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('last_attempt_at', 'bigint')
    .addColumn('finished_at', 'bigint')
    .addColumn('status', 'integer')
    .addColumn('error', 'text')
    .execute();
  await schema.createIndex('webhook_deliveries_due').on('webhook_deliveries').column('next_attempt_at').execute();
  await schema.createIndex('webhook_deliveries_claimed').on('webhook_deliveries').column('claimed_by').execute();
  await schema
    .createIndex('webhook_deliveries_account')
    .on('webhook_deliveries')
    .columns(['account_id', 'state'])
    .execute();
  await schema
    .createIndex('webhook_deliveries_webhook')
    .on('webhook_deliveries')
    .columns(['webhook_id', 'created_at'])
    .execute();

  await schema
    .createTable('webhook_turns')
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('event_type', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('webhook_turns_key', ['account_id', 'event_type'])
    .execute();

  await schema
    .createTable('refusal_news')
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('refusal_id', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('refusal_news_key', ['account_id', 'refusal_id'])
    .execute();

  await schema
    .createTable('downgrades')
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('delegate_name', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('told_at', 'bigint')
    .addPrimaryKeyConstraint('downgrades_key', ['account_id', 'delegate_name'])
    .execute();
  await schema.createIndex('downgrades_told').on('downgrades').columns(['told_at', 'account_id']).execute();

  await schema
    .createTable('client_certificates')
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('fingerprint', 'text', (c) => c.notNull())
    .addColumn('facts', 'text', (c) => c.notNull())
    .addColumn('not_after', 'bigint', (c) => c.notNull())
    .addColumn('anchor', 'text')
    .addColumn('first_seen', 'bigint', (c) => c.notNull())
    .addColumn('last_seen', 'bigint', (c) => c.notNull())
    .addColumn('next_notice_at', 'bigint')
    .addPrimaryKeyConstraint('client_certificates_key', ['account_id', 'fingerprint'])
    .execute();
  await schema.createIndex('client_certificates_end').on('client_certificates').column('not_after').execute();
  await schema.createIndex('client_certificates_seen').on('client_certificates').column('last_seen').execute();
  await schema.createIndex('client_certificates_notice').on('client_certificates').column('next_notice_at').execute();

  await schema.alterTable('delegates').addColumn('mtls_fingerprint', 'text').execute();
  await schema
    .createIndex('delegates_mtls_fingerprint')
    .on('delegates')
    .columns(['mtls_fingerprint', 'account_id'])
    .execute();
}
