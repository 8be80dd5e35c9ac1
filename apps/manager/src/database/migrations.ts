import type { Kysely } from 'kysely';
import type { Migration, MigrationProvider } from 'kysely/migration';
import { finishedTasks } from './finished-tasks.ts';
import { logPositions } from './log-positions.ts';
import { logs } from './logs.ts';
import { revocation } from './revocation.ts';
import type { Schema } from './schema.ts';
import { taskSecrets } from './task-secrets.ts';
import { trustOperations } from './trust-operations.ts';
import { upgradeHalts } from './upgrade-halts.ts';
import { upgrades } from './upgrades.ts';
import { webhooks } from './webhooks.ts';

/**
 * Every change of the tables, oldest first by name. A migration that has been released is never edited: a database out
 * there has already run it. They run forwards only; going back is restoring a backup.
 */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-foundation': { up: foundation },
  '0002-trust-operations': { up: trustOperations },
  '0003-revocation': { up: revocation },
  '0004-webhooks': { up: webhooks },
  '0005-logs': { up: logs },
  '0006-upgrades': { up: upgrades },
  '0008-task-secrets': { up: taskSecrets },
  '0009-finished-tasks': { up: finishedTasks },
  '0010-upgrade-halts': { up: upgradeHalts },
  '0011-log-positions': { up: logPositions },
};

export const migrationProvider: MigrationProvider = { getMigrations: async () => ({ ...MIGRATIONS }) };

async function foundation(database: Kysely<Schema>): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('accounts')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('mtls_enabled', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();

  await schema
    .createTable('api_keys')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.references('accounts.id').onDelete('cascade'))
    .addColumn('secret_hash', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('expires_at', 'bigint')
    .addColumn('revoked_at', 'bigint')
    .addColumn('created_by', 'text', (c) => c.notNull())
    .execute();
  await schema.createIndex('api_keys_account').on('api_keys').columns(['account_id', 'created_at']).execute();

  await schema
    .createTable('mtls_endpoints')
    .addColumn('uuid', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull().unique().references('accounts.id').onDelete('cascade'))
    .addColumn('fqdn', 'text', (c) => c.notNull().unique())
    .addColumn('ca_certificates', 'text', (c) => c.notNull())
    .addColumn('mode', 'text', (c) => c.notNull())
    .addColumn('revision', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();

  await schema
    .createTable('delegate_tokens')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('secret_ciphertext', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text')
    .addColumn('revoke_after', 'bigint')
    .addColumn('revoked_at', 'bigint')
    .addUniqueConstraint('delegate_tokens_account_name', ['account_id', 'name'])
    .execute();

  await schema
    .createTable('delegates')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('host_name', 'text', (c) => c.notNull())
    .addColumn('ip', 'text', (c) => c.notNull())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('tags', 'text', (c) => c.notNull())
    .addColumn('supported_task_types', 'text', (c) => c.notNull())
    .addColumn('transport', 'text')
    .addColumn('certificate', 'text')
    .addColumn('token_id', 'text', (c) => c.references('delegate_tokens.id').onDelete('set null'))
    .addColumn('replica_id', 'text')
    .addColumn('polling', 'integer', (c) => c.notNull())
    .addColumn('registered_at', 'bigint', (c) => c.notNull())
    .addColumn('last_seen', 'bigint', (c) => c.notNull())
    .addColumn('disconnected_at', 'bigint')
    .execute();
  await schema.createIndex('delegates_account_name').on('delegates').columns(['account_id', 'name']).execute();
  await schema.createIndex('delegates_token').on('delegates').column('token_id').execute();
  await schema.createIndex('delegates_replica').on('delegates').column('replica_id').execute();

  await schema
    .createTable('tasks')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('data', 'text', (c) => c.notNull())
    .addColumn('selectors', 'text', (c) => c.notNull())
    .addColumn('timeout_ms', 'bigint', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('delegate_id', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('finished_at', 'bigint')
    .addColumn('result', 'text')
    .addColumn('error', 'text')
    .execute();
  await schema
    .createIndex('tasks_account_status')
    .on('tasks')
    .columns(['account_id', 'status', 'created_at'])
    .execute();
  await schema.createIndex('tasks_account_created').on('tasks').columns(['account_id', 'created_at', 'id']).execute();
  await schema.createIndex('tasks_status_expires').on('tasks').columns(['status', 'expires_at']).execute();
  await schema.createIndex('tasks_delegate').on('tasks').columns(['delegate_id', 'status']).execute();

  await schema
    .createTable('refusals')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.references('accounts.id').onDelete('cascade'))
    .addColumn('first_seen', 'bigint', (c) => c.notNull())
    .addColumn('last_seen', 'bigint', (c) => c.notNull())
    .addColumn('count', 'bigint', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('message', 'text', (c) => c.notNull())
    .addColumn('remedy', 'text', (c) => c.notNull())
    .addColumn('server_name', 'text')
    .addColumn('remote_address', 'text', (c) => c.notNull())
    .addColumn('certificate', 'text')
    .execute();
  await schema.createIndex('refusals_account_seen').on('refusals').columns(['account_id', 'last_seen']).execute();

  await schema
    .createTable('replicas')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('lease_until', 'bigint', (c) => c.notNull())
    .execute();

  await schema
    .createTable('audit_events')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text')
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('actor', 'text', (c) => c.notNull())
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('details', 'text', (c) => c.notNull())
    .execute();
  await schema.createIndex('audit_events_account_at').on('audit_events').columns(['account_id', 'at']).execute();
}
