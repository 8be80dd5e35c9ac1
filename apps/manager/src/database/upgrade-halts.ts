import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** 0010-upgrade-halts: who stopped a version, as what is said of it depends on that. */
export async function upgradeHalts(database: Kysely<Schema>): Promise<void> {
  await database.schema.alterTable('upgrade_releases').addColumn('halted_by', 'text').execute();
}
