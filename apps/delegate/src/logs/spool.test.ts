import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { LogBlock } from './log-block.ts';
import { SpoolFolder } from './spool-folder.ts';

const HEADER = { accountId: 'acme', taskId: 't1', key: 'taskId:t1', token: 'log-token', writer: 'w' };
const lines = (from: number, to: number): LogBlock[] =>
  Array.from({ length: to - from }, (_, n) => ({
    pos: from + n,
    out: `line ${from + n}\n`,
    level: 'info',
    args: null,
  }));
const positions = (read: readonly LogBlock[]) => read.map(({ pos }) => pos);

function temporaryFolder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-spool-test-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('what was appended is read back once, behind what was acknowledged', async (context) => {
  const directory = join(temporaryFolder(context), 'a', 'spool');
  const folder = await SpoolFolder.open(directory, 100_000);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  const file = await folder.create(HEADER);
  assert.equal(await file.append(lines(0, 5)), 5);
  await file.change({ next: 2 });
  assert.deepEqual(positions(await file.read(100_000)), [2, 3, 4]);
  assert.deepEqual(await file.read(100_000), []);
  assert.equal(await file.append(lines(5, 7)), 2);
  assert.deepEqual(positions(await file.read(100_000)), [5, 6]);
  await file.clear();
  assert.equal(folder.budget.used, 0);
  await file.remove();
  assert.deepEqual(readdirSync(directory), []);
});

test('lines larger than one read are read', async (context) => {
  const folder = await SpoolFolder.open(temporaryFolder(context), 10_000_000);
  const file = await folder.create(HEADER);
  const large = { pos: 0, out: '\x1b'.repeat(71_680) };
  await file.append([large, { pos: 1, out: 'next\n' }]);
  assert.deepEqual(positions([...(await file.read(1000)), ...(await file.read(1000))]), [0, 1]);
  await file.close();
});

test('the next process finds state and lines, without the line that was being written', async (context) => {
  const directory = temporaryFolder(context);
  const first = await SpoolFolder.open(directory, 100_000);
  const file = await first.create(HEADER);
  await file.append(lines(0, 5));
  await file.change({ next: 3 });
  await file.close();
  const [name = ''] = readdirSync(directory);
  appendFileSync(join(directory, name), '{"pos":5,"out":"cut sh');
  const next = await SpoolFolder.open(directory, 100_000);
  const { files, unreadable } = await next.left('acme');
  assert.deepEqual([files.length, unreadable], [1, []]);
  const [left] = files;
  assert.ok(left !== undefined);
  assert.deepEqual(left.header, HEADER);
  assert.deepEqual(left.state, { ended: false, next: 3 });
  assert.equal(left.nextPos, 5);
  await left.append(lines(5, 6));
  assert.deepEqual(positions(await left.read(100_000)), [3, 4, 5]);
  await left.close();
});

test('files of another account, of a process that lives, and what is no spool stay where they are', async (context) => {
  const directory = temporaryFolder(context);
  const folder = await SpoolFolder.open(directory, 100_000);
  await (await folder.create(HEADER)).close();
  const [name = ''] = readdirSync(directory);
  const content = readFileSync(join(directory, name));
  const uuid = name.slice(name.indexOf('-'));
  // The process that started this one lives, and is not this one.
  writeFileSync(join(directory, `${process.ppid}${uuid}`), content);
  writeFileSync(join(directory, `999999999${uuid}`), 'garbage');
  writeFileSync(join(directory, 'notes.txt'), 'not ours');
  const next = await SpoolFolder.open(directory, 100_000);
  assert.deepEqual((await next.left('other')).files, []);
  const { files, unreadable } = await next.left('acme');
  assert.equal(files.length, 1);
  assert.deepEqual(unreadable, [join(directory, `999999999${uuid}`)]);
  for (const file of files) await file.close();
  assert.equal(readdirSync(directory).length, 4);
});

test('a link in the place of a spool file is not followed', async (context) => {
  const directory = temporaryFolder(context);
  const elsewhere = join(temporaryFolder(context), 'file');
  const maker = await SpoolFolder.open(temporaryFolder(context), 1000);
  await (await maker.create(HEADER)).close();
  writeFileSync(elsewhere, 'sallyport-log-1 0 0000000000000000\n{}\n');
  symlinkSync(elsewhere, join(directory, '999999999-00000000-0000-4000-8000-000000000000.spool'));
  const { files, unreadable } = await (await SpoolFolder.open(directory, 1000)).left('acme');
  assert.deepEqual([files.length, unreadable.length], [0, 1]);
});

test('a folder that others can write, or that is a link, is refused: they would read and change the logs', async (context) => {
  const parent = temporaryFolder(context);
  const open = join(parent, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  await assert.rejects(SpoolFolder.open(open, 1000), /can be written by others.*DELEGATE_LOG_SPOOL_DIRECTORY/s);
  const own = join(parent, 'own');
  mkdirSync(own, { mode: 0o700 });
  symlinkSync(own, join(parent, 'link'));
  await assert.rejects(SpoolFolder.open(join(parent, 'link'), 1000), /is a link/);
});

test('beyond the budget, lines are not taken, whichever file they are for', async (context) => {
  const folder = await SpoolFolder.open(temporaryFolder(context), 1000);
  const [one, two] = [await folder.create(HEADER), await folder.create({ ...HEADER, taskId: 't2' })];
  const taken = (await one.append(lines(0, 10))) + (await two.append(lines(0, 100)));
  assert.ok(taken > 10 && taken < 30, String(taken));
  assert.ok(folder.budget.used <= 1000);
  assert.equal(await one.append(lines(10, 20)), 0);
  await two.remove();
  assert.ok((await one.append(lines(10, 20))) > 0);
  await one.close();
});

test('lines that were printed together wait as one, and are given out as many as asked for', async (context) => {
  const folder = await SpoolFolder.open(temporaryFolder(context), 100_000);
  const file = await folder.create(HEADER);
  const block = { pos: 0, out: Array.from({ length: 1000 }, (_, n) => `${n}\n`).join(''), level: 'info', args: null };
  await file.append([block, ...lines(1000, 1005)]);
  assert.ok(folder.budget.used < 6000, 'a short line costs little');
  const read: LogBlock[] = [];
  for (let part = await file.read(10_000); part.length > 0; part = await file.read(10_000)) {
    assert.ok(part.length < 100);
    read.push(...part);
  }
  assert.deepEqual(
    positions(read),
    Array.from({ length: 1005 }, (_, n) => n),
  );
  assert.equal(read[999]?.out, '999\n');
  assert.equal(file.nextPos, 1005);
  await file.close();
});

test('room of what was delivered is given back while lines go on coming, and a later process finds the rest', async (context) => {
  const directory = temporaryFolder(context);
  const folder = await SpoolFolder.open(directory, 20_000_000);
  const file = await folder.create(HEADER);
  const wide = (pos: number): LogBlock => ({ pos, out: `${pos} ${'x'.repeat(60_000)}\n` });
  let [written, delivered] = [0, 0];
  for (let round = 0; round < 4; round += 1) {
    for (let count = 0; count < 40; count += 1) written += await file.append([wide(written)]);
    for (let count = 0; count < 38; count += 1) {
      for (const { pos } of await file.read(1)) {
        assert.equal(pos, delivered);
        delivered += 1;
      }
      await file.change({ next: delivered });
    }
  }
  assert.equal(written, 160);
  assert.ok(folder.budget.used < 4_000_000, String(folder.budget.used));
  const [name = ''] = readdirSync(directory);
  assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
  assert.ok(statSync(join(directory, name)).size < folder.budget.used + 1000);
  await file.close();
  writeFileSync(join(directory, `${name}.new`), 'what a process that died was making');
  const { files, unreadable } = await (await SpoolFolder.open(directory, 20_000_000)).left('acme');
  assert.deepEqual(unreadable, []);
  assert.deepEqual(readdirSync(directory), [name]);
  const [left] = files;
  assert.deepEqual([left?.header, left?.nextPos], [HEADER, 160]);
  assert.deepEqual(positions((await left?.read(1)) ?? []), [delivered]);
  await left?.close();
});
