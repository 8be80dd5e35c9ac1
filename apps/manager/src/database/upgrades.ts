import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** Published versions, rings, overrides, upgraders' calls, and what came of the upgrades. */
export async function upgrades(database: Kysely<Schema>): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('upgrade_releases')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('component', 'text', (c) => c.notNull())
    .addColumn('ring', 'text', (c) => c.notNull())
    .addColumn('image', 'text', (c) => c.notNull())
    .addColumn('allow_older', 'integer', (c) => c.notNull())
    .addColumn('sequence', 'integer', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('published_at', 'bigint', (c) => c.notNull())
    .addColumn('published_by', 'text', (c) => c.notNull())
    .addColumn('halted_at', 'bigint')
    .addColumn('halted_reason', 'text')
    .addColumn('judged_from', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('upgrade_releases_sequence', ['component', 'ring', 'sequence'])
    .execute();

  await schema
    .createTable('upgrade_account_rings')
    .addColumn('account_id', 'text', (c) => c.primaryKey().references('accounts.id').onDelete('cascade'))
    .addColumn('ring', 'text', (c) => c.notNull())
    .execute();

  await schema
    .createTable('upgrade_overrides')
    .addColumn('account_id', 'text', (c) => c.primaryKey().references('accounts.id').onDelete('cascade'))
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('allow_older', 'integer', (c) => c.notNull())
    .addColumn('valid_until', 'bigint')
    .addColumn('until_after_sequence', 'integer')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .execute();

  await schema
    .createTable('upgrade_checks')
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('component', 'text', (c) => c.notNull())
    .addColumn('delegate_name', 'text', (c) => c.notNull())
    .addColumn('tag', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('is_current', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('upgrade_checks_key', ['account_id', 'component', 'delegate_name', 'tag'])
    .execute();

  await schema
    .createTable('upgrade_attempts')
    .addColumn('release_id', 'text', (c) => c.notNull().references('upgrade_releases.id').onDelete('cascade'))
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('delegate_name', 'text', (c) => c.notNull())
    .addColumn('from_image', 'text', (c) => c.notNull())
    .addColumn('to_image', 'text', (c) => c.notNull())
    .addColumn('offered_at', 'bigint', (c) => c.notNull())
    .addColumn('taken_at', 'bigint')
    .addColumn('outcome', 'text', (c) => c.notNull())
    .addColumn('decided_at', 'bigint')
    .addColumn('judge_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('upgrade_attempts_key', ['release_id', 'account_id', 'delegate_name'])
    .execute();
  await schema.createIndex('upgrade_attempts_due').on('upgrade_attempts').columns(['outcome', 'judge_at']).execute();
  await schema.createIndex('upgrade_attempts_account').on('upgrade_attempts').column('account_id').execute();
}
