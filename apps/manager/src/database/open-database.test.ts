import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createEmptyDatabase, onBothDatabases, testPostgres } from '@sallyport/dev-env';
import { sql } from 'kysely';
import pg from 'pg';
import { DatabaseError, isDatabaseUnavailable, isUniqueViolation } from './database-error.ts';
import { openDatabase } from './open-database.ts';

const storeTest = onBothDatabases(openDatabase);
const postgresUrl = testPostgres();

const account = (id: string, at = 1) => ({ id, name: id, mtls_enabled: 0 as const, created_at: at });

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-database-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

storeTest('a time in milliseconds comes back as the number that was stored', async (_t, { database }) => {
  const at = Date.UTC(2077, 5, 1);
  await database.insertInto('accounts').values(account('acme', at)).execute();
  const row = await database.selectFrom('accounts').selectAll().executeTakeFirstOrThrow();
  assert.deepEqual({ ...row }, account('acme', at));
});

storeTest('a transaction that throws leaves nothing behind', async (_t, { database }) => {
  const attempt = database.transaction().execute(async (transaction) => {
    await transaction.insertInto('accounts').values(account('acme')).execute();
    throw new Error('changed my mind');
  });
  await assert.rejects(attempt, /changed my mind/);
  assert.deepEqual(await database.selectFrom('accounts').selectAll().execute(), []);
});

storeTest('a duplicate key is told from other failures', async (_t, { database }) => {
  await database.insertInto('accounts').values(account('acme')).execute();
  await assert.rejects(database.insertInto('accounts').values(account('acme')).execute(), isUniqueViolation);
  const endpoint = {
    uuid: '1',
    account_id: 'acme',
    fqdn: 'a',
    ca_certificates: '',
    mode: 'LOOSE',
    revision: 1,
  } as const;
  const times = { created_at: 1, updated_at: 1 };
  await database
    .insertInto('mtls_endpoints')
    .values({ ...endpoint, ...times })
    .execute();
  await assert.rejects(
    database
      .insertInto('mtls_endpoints')
      .values({ ...endpoint, ...times, uuid: '2' })
      .execute(),
    isUniqueViolation,
  );
  await assert.rejects(
    database
      .insertInto('mtls_endpoints')
      .values({ ...endpoint, ...times, uuid: '3', account_id: 'nobody', fqdn: 'b' })
      .execute(),
    (error) => !isUniqueViolation(error) && !isDatabaseUnavailable(error),
  );
});

storeTest('what belongs to an account goes with it', async (_t, { database }) => {
  await database
    .insertInto('accounts')
    .values([account('acme'), account('other')])
    .execute();
  for (const id of ['acme', 'other']) {
    await database
      .insertInto('mtls_endpoints')
      .values({
        uuid: id,
        account_id: id,
        fqdn: id,
        ca_certificates: '',
        mode: 'LOOSE',
        revision: 1,
        created_at: 1,
        updated_at: 1,
      })
      .execute();
  }
  await database.deleteFrom('accounts').where('id', '=', 'acme').execute();
  const left = await database.selectFrom('mtls_endpoints').select('uuid').execute();
  assert.deepEqual(
    left.map((row) => row.uuid),
    ['other'],
  );
});

storeTest('queries of others wait for a transaction instead of joining it', async (_t, { database, dialect }) => {
  const seen: number[] = [];
  await database.transaction().execute(async (transaction) => {
    await transaction.insertInto('accounts').values(account('acme')).execute();
    const outside = database.selectFrom('accounts').selectAll().execute();
    if (dialect === 'postgres') seen.push((await outside).length);
    else void outside.then((rows) => seen.push(rows.length));
  });
  assert.equal((await database.selectFrom('accounts').selectAll().execute()).length, 1);
  assert.deepEqual(seen, [dialect === 'postgres' ? 0 : 1]);
});

test('a file is reopened with its data, and readable by its owner only', async (t) => {
  const file = join(temporaryFolder(t), 'new', 'sallyport.db');
  const first = await openDatabase({ file });
  await first.database.insertInto('accounts').values(account('acme')).execute();
  for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(file + suffix).mode & 0o077, 0, suffix);
  await first.close();
  await first.close();
  const second = await openDatabase({ file });
  t.after(() => second.close());
  assert.equal((await second.database.selectFrom('accounts').selectAll().execute()).length, 1);
});

test('an embedded database waits for the disk at every commit', async (t) => {
  const { database, close } = await openDatabase({ file: join(temporaryFolder(t), 'sallyport.db') });
  t.after(close);
  const { rows: synchronous } = await sql<{ synchronous: number }>`PRAGMA synchronous`.execute(database);
  const { rows: journal } = await sql<{ journal_mode: string }>`PRAGMA journal_mode`.execute(database);
  assert.equal(synchronous[0]?.synchronous, 2, 'FULL');
  assert.equal(journal[0]?.journal_mode, 'wal');
});

test('PostgreSQL confirms a commit only when it is on the disk', async (t) => {
  const { database, close } = await openDatabase({ url: await createEmptyDatabase(await postgresUrl()) });
  t.after(close);
  const { rows } = await sql<{ synchronous_commit: string }>`show synchronous_commit`.execute(database);
  assert.equal(rows[0]?.synchronous_commit, 'on');
});

test('a second process on the same file is turned away, and may come when the first was killed', async (t) => {
  const file = join(temporaryFolder(t), 'sallyport.db');
  const script = `
    const { openDatabase } = await import(${JSON.stringify(join(import.meta.dirname, 'open-database.ts'))});
    const opened = await openDatabase({ file: ${JSON.stringify(file)} });
    await opened.database.insertInto('accounts').values({ id: 'acme', name: 'acme', mtls_enabled: 0, created_at: 1 }).execute();
    console.log('written');
    // Holds on to the database: what nobody refers to is collected, and its file let go.
    setInterval(() => opened.database, 1000);`;
  const holder = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  t.after(() => holder.kill('SIGKILL'));
  const gone = once(holder, 'exit');
  await once(holder.stdout, 'data');
  await assert.rejects(openDatabase({ file }, { busyTimeoutMs: 20 }), (error) => {
    assert.ok(error instanceof DatabaseError);
    assert.match(error.message, /in use by another sallyport process.*PostgreSQL/);
    assert.ok(error.message.includes(file));
    return true;
  });
  holder.kill('SIGKILL');
  await gone;
  const { database, close } = await openDatabase({ file });
  t.after(close);
  assert.equal((await database.selectFrom('accounts').selectAll().execute()).length, 1);
});

test('a file that cannot be used is named', async (t) => {
  const folder = temporaryFolder(t);
  const noDatabase = join(folder, 'notes.txt');
  writeFileSync(noDatabase, 'these are my notes, not a database\n'.repeat(50));
  mkdirSync(join(folder, 'folder.db'));
  for (const file of [noDatabase, join(folder, 'folder.db'), join(noDatabase, 'sallyport.db')]) {
    await assert.rejects(
      openDatabase({ file }),
      (error) => error instanceof DatabaseError && error.message.includes(file),
    );
  }
});

test('four replicas that start at once on an empty PostgreSQL all find their tables', async (t) => {
  const url = await createEmptyDatabase(await postgresUrl());
  const replicas = await Promise.all([1, 2, 3, 4].map(() => openDatabase({ url })));
  t.after(() => Promise.all(replicas.map((replica) => replica.close())));
  await Promise.all(
    replicas.map(({ database }, index) =>
      database
        .insertInto('accounts')
        .values(account(`a${index}`))
        .execute(),
    ),
  );
});

test('a PostgreSQL that is not there is named, without the password', async () => {
  await assert.rejects(openDatabase({ url: 'postgres://me:hunter2@127.0.0.1:1/none' }), (error) => {
    assert.ok(error instanceof DatabaseError);
    assert.match(error.message, /127\.0\.0\.1:1\/none.*SALLYPORT_DATABASE_URL/);
    assert.doesNotMatch(error.message, /hunter2/);
    assert.ok(isDatabaseUnavailable(error.cause));
    return true;
  });
});

test('a read-only PostgreSQL is refused when it is opened, tables or not', async () => {
  const url = await createEmptyDatabase(await postgresUrl());
  await (await openDatabase({ url })).close();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    `ALTER DATABASE ${pg.escapeIdentifier(new URL(url).pathname.slice(1))} SET default_transaction_read_only = on`,
  );
  await client.end();
  await assert.rejects(openDatabase({ url }), /read-only.*primary/);
});

test('tables of a newer version are left alone', async (t) => {
  const url = await createEmptyDatabase(await postgresUrl());
  for (const location of [{ url }, { file: join(temporaryFolder(t), 'sallyport.db') }]) {
    const { database, close } = await openDatabase(location);
    await sql`insert into kysely_migration (name, timestamp) values ('9999-from-the-future', '2099')`.execute(database);
    await close();
    await assert.rejects(openDatabase(location), /newer version of Sallyport/);
  }
});
