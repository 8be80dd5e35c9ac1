import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type LogDatabase, openLogDatabase } from './log-database.ts';

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-log-database-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const writersOf = ({ database }: LogDatabase) => database.selectFrom('log_writers').selectAll().execute();

test('the log database is made, private and with its tables, by the first statement', async (t) => {
  const file = join(newFolder(t), 'logs.db');
  const logs = await openLogDatabase(file);
  assert.deepEqual([logs.isNew, existsSync(file)], [true, false]);
  assert.deepEqual(await Promise.all([writersOf(logs), writersOf(logs)]), [[], []]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  await logs.close();

  const again = await openLogDatabase(file);
  assert.equal(again.isNew, false);
  assert.deepEqual(await writersOf(again), []);
  await again.close();
});

test('a log database that never had a statement leaves no file', async (t) => {
  const file = join(newFolder(t), 'logs.db');
  const logs = await openLogDatabase(file);
  await logs.close();
  assert.equal(existsSync(file), false);
});

test('a file that is no log database is refused when it is opened, by name', async (t) => {
  const file = join(newFolder(t), 'logs.db');
  writeFileSync(file, 'this is text, and much more than the sixteen bytes that a header has');
  await assert.rejects(openLogDatabase(file), {
    name: 'DatabaseError',
    message: /^Cannot use the log database \S+logs\.db: file is not a database\. It has to be/,
  });
});

test('a log database that could not be made is tried again by the next statement', async (t) => {
  const folder = join(newFolder(t), 'later');
  const logs = await openLogDatabase(join(folder, 'logs.db'));
  t.after(() => logs.close());
  await assert.rejects(writersOf(logs), /logs\.db/);
  mkdirSync(folder);
  assert.deepEqual(await writersOf(logs), []);
});
