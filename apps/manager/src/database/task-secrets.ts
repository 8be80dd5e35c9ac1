import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** Secrets of tasks that have not ended. A table of its own, so that nothing that reads tasks reads them. */
export async function taskSecrets(database: Kysely<Schema>): Promise<void> {
  await database.schema
    .createTable('task_secrets')
    .addColumn('task_id', 'text', (c) => c.primaryKey().references('tasks.id').onDelete('cascade'))
    .addColumn('sealed', 'text', (c) => c.notNull())
    .execute();
}
