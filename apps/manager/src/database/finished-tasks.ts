import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** 0009-finished-tasks: tasks that ended long ago are found without reading all the others. */
export async function finishedTasks(database: Kysely<Schema>): Promise<void> {
  await database.schema.createIndex('tasks_finished').on('tasks').columns(['finished_at']).execute();
}
