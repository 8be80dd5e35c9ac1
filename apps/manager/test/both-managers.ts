import { after, type TestContext, test } from 'node:test';
import {
  createTestDatabase,
  DevManager,
  type DevManagerOptions,
  dropTestDatabase,
  testPostgres,
} from '@sallyport/dev-env';

/** What the secrets of managers on PostgreSQL are sealed with; the data lasts as long as a test file. */
const MASTER_KEY = '5a'.repeat(32);

/**
 * Makes the function that defines a test on two managers: one with the embedded database, one on a real PostgreSQL.
 * The tests of a file share both, so each uses accounts of its own.
 */
export function onBothManagers(options: DevManagerOptions = {}) {
  const started = new Map<string, Promise<DevManager>>();
  let url: Promise<string> | undefined;
  const start = (dialect: string, environment: Readonly<Record<string, string>>): Promise<DevManager> => {
    const known = started.get(dialect);
    if (known !== undefined) return known;
    const starting = DevManager.start({ ...options, environment: { ...options.environment, ...environment } });
    started.set(dialect, starting);
    return starting;
  };
  after(async () => {
    for (const dev of started.values()) await (await dev).stop();
    if (url !== undefined) await dropTestDatabase(await url);
  });
  // After the hook above: a server that was started for this file alone goes last.
  const postgresUrl = testPostgres();
  return (title: string, run: (t: TestContext, dev: DevManager) => Promise<void>): void => {
    test(`${title} (SQLite)`, async (t) => run(t, await start('sqlite', {})));
    test(`${title} (PostgreSQL)`, async (t) => {
      url ??= postgresUrl().then(createTestDatabase);
      const environment = { SALLYPORT_DATABASE_URL: await url, SALLYPORT_MASTER_KEY: MASTER_KEY };
      await run(t, await start('postgres', environment));
    });
  };
}
