import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { onBothDatabases } from '@sallyport/dev-env';
import { AccountStore } from '../accounts/account-store.ts';
import { LocalBus } from '../bus/local-bus.ts';
import { prepareLogTables } from '../database/log-database.ts';
import { type Database, openDatabase } from '../database/open-database.ts';
import { createLogger } from '../http/logger.ts';
import { AccountBirths, ownerOf } from './account-births.ts';
import { BlobStorage } from './blob-storage.ts';
import { BlobStore } from './blob-store.ts';
import { LineStore } from './line-store.ts';
import { LogArchiver } from './log-archiver.ts';
import { logKeyOf } from './log-key.ts';
import { readLines } from './log-lines.ts';
import { LogRetention, type RetentionLimits } from './retention.ts';
import { StreamStore } from './stream-store.ts';

const storeTest = onBothDatabases(openDatabase);
const DAY = 86_400_000;
const key = logKeyOf;

async function room(t: TestContext, { database, dialect }: Database, limits: RetentionLimits) {
  if (dialect === 'sqlite') await prepareLogTables(database);
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-retention-'));
  const logger = createLogger('silent');
  const bus = new LocalBus(database, logger);
  const clock = { at: 100 * DAY, now: () => new Date(clock.at) };
  const accounts = new AccountStore(database);
  const births = new AccountBirths(accounts, bus);
  const storage = await BlobStorage.open({ folder, s3: null, credentials: null });
  const streams = new StreamStore(database);
  const lines = new LineStore(database);
  const blobs = new BlobStore(database);
  const archiver = new LogArchiver({ streams, lines, blobs, storage, clock, logger, onEnded: () => undefined });
  const retention = new LogRetention({ streams, archiver, blobs, storage, births, clock, logger, limits });
  t.after(async () => {
    await retention.stop();
    await archiver.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const id of ['acme', 'beta']) {
    await accounts.insert({ identifier: id, name: id, status: 'ACTIVE', mtlsEnabled: false, createdAt: 1 });
  }
  const put = async (owner: string, name: string, content: string) => {
    const object = await blobs.begin(owner, key(name), clock.at);
    const { size, stored } = await storage.put(object, Readable.from([Buffer.from(content)]));
    return blobs.finish(object, size, stored);
  };
  const objects = () =>
    readdirSync(join(folder, 'log-blobs'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.gz'))
      .length;
  const keys = async (owner: string) => (await blobs.below(owner, key(''), 100)).map((blob) => blob.key.text);
  return { database, bus, clock, accounts, storage, streams, lines, blobs, archiver, retention, put, objects, keys };
}

const acme = ownerOf('acme', 1);
const beta = ownerOf('beta', 1);

storeTest('logs are deleted by age, and their objects with them', async (t, database) => {
  const { clock, retention, put, objects, keys } = await room(t, database, { days: 30, bytes: 0 });
  await put(acme, 'old', 'old');
  clock.at += 20 * DAY;
  await put(acme, 'young', 'young');
  await put(beta, 'young', 'young');
  await retention.sweep();
  assert.deepEqual(await keys(acme), ['old', 'young']);
  clock.at += 10 * DAY + 1;
  await retention.sweep();
  assert.deepEqual(await keys(acme), ['young']);
  assert.deepEqual(await keys(beta), ['young']);
  assert.equal(objects(), 2);
});

storeTest('the oldest logs of an account that has too many go, and nobody else loses one', async (t, database) => {
  const { clock, retention, put, objects, keys, blobs } = await room(t, database, { days: 0, bytes: 1_000 });
  for (let index = 0; index < 8; index += 1) {
    clock.at += 1;
    await put(acme, `run:${index}`, Array.from({ length: 60 }, () => Math.random()).join());
  }
  await put(beta, 'b', 'small');
  await retention.sweep();
  const left = await keys(acme);
  assert.ok(left.length > 0 && left.length < 8, String(left));
  assert.deepEqual(
    left,
    Array.from({ length: left.length }, (_, index) => `run:${8 - left.length + index}`),
  );
  assert.ok(((await blobs.totals()).get(acme) ?? 0) <= 1_000);
  assert.deepEqual(await keys(beta), ['b']);
  assert.equal(objects(), left.length + 1);
});

storeTest('nothing is left of an account that was deleted, or made anew', async (t, database) => {
  const { bus, accounts, retention, put, objects, keys, streams } = await room(t, database, { days: 0, bytes: 0 });
  for (const owner of [acme, beta]) {
    await put(owner, 'k', 'content');
    await streams.open(owner, key('open'), 1);
  }
  await bus.commit({ type: 'trust-changed', accountId: 'acme' }, (transaction) =>
    new AccountStore(transaction).delete('acme'),
  );
  await accounts.insert({ identifier: 'acme', name: '', status: 'ACTIVE', mtlsEnabled: false, createdAt: 2 });
  await retention.sweep();
  assert.deepEqual(await keys(acme), []);
  assert.equal(await streams.find(acme, key('open')), null);
  assert.deepEqual(await keys(beta), ['k']);
  assert.notEqual(await streams.find(beta, key('open')), null);
  assert.equal(objects(), 1);
});

storeTest('an upload that died half-way leaves nothing, and one that is replaced neither', async (t, database) => {
  const { clock, retention, put, objects, keys, blobs, storage } = await room(t, database, { days: 0, bytes: 0 });
  const begun = await blobs.begin(acme, key('dead'), clock.at);
  await storage.put(begun, Readable.from([Buffer.from('half')]));
  assert.equal(await put(acme, 'k', 'first'), true);
  assert.equal(await put(acme, 'k', ''), false, 'an empty one replaces none');
  assert.equal(await put(acme, 'k', 'second'), true);
  await retention.sweep();
  assert.equal(objects(), 2, 'the half one may still be on its way');
  clock.at += 3 * 3_600_000;
  await retention.sweep();
  assert.equal(objects(), 1);
  assert.deepEqual(await keys(acme), ['k']);
});

storeTest('a stream that nobody closes becomes a blob after its time, and is forgotten later', async (t, database) => {
  const { clock, archiver, streams, lines, blobs, keys } = await room(t, database, { days: 0, bytes: 0 });
  await streams.open(acme, key('k'), clock.at);
  const write = await readLines(Buffer.from('[{"out":"kept\\n"}]'));
  await lines.append([{ owner: acme, key: key('k'), writes: [write] }], clock.at);
  clock.at += 5 * 3_600_000;
  await archiver.sweep();
  assert.notEqual(await streams.find(acme, key('k')), null, 'five hours are not over');
  clock.at += 1;
  await archiver.sweep();
  assert.equal(await streams.find(acme, key('k')), null);
  assert.deepEqual(await keys(acme), ['k']);
  assert.equal((await streams.find(acme, key('k'), true))?.state, 'closed');
  clock.at += 11 * 60_000;
  await archiver.sweep();
  assert.equal(await streams.find(acme, key('k'), true), null);
  assert.equal((await blobs.find(acme, key('k')))?.size, write.chunks[0]?.body.length ?? 0);
});

storeTest('a log that a killed process had closed is stored by the next one', async (t, database) => {
  const { clock, archiver, streams, lines, keys } = await room(t, database, { days: 0, bytes: 0 });
  await streams.open(acme, key('k'), clock.at);
  const write = await readLines(Buffer.from('[{"out":"x"}]'));
  await lines.append([{ owner: acme, key: key('k'), writes: [write] }], clock.at);
  const stream = await streams.find(acme, key('k'));
  assert.ok(stream !== null && (await streams.close(stream.id, clock.at)));
  await archiver.sweep();
  assert.deepEqual(await keys(acme), [], 'another replica may be at it');
  await archiver.sweep(true);
  assert.deepEqual(await keys(acme), ['k']);
});

storeTest(
  'open streams count too: finished logs go first, then the stream that was written least lately is closed',
  async (t, database) => {
    const rig = await room(t, database, { days: 0, bytes: 10_000 });
    const { clock, retention, put, keys, streams, lines } = rig;
    const write = async (name: string, text: string) => {
      clock.at += 1;
      await streams.open(acme, key(name), clock.at, { continues: true, blob: null });
      const body = Buffer.from(JSON.stringify([{ out: text }]));
      await lines.append([{ owner: acme, key: key(name), writes: [await readLines(body)] }], clock.at);
    };
    const open = async () => (await streams.below(acme, key(''), 'open', 100)).map((stream) => stream.key.text);
    await put(acme, 'finished', randomBytes(1_000).toString('hex'));
    await write('a', 'x'.repeat(4_000));
    await write('b', 'x'.repeat(4_000));
    await retention.sweep();
    assert.deepEqual([await keys(acme), await open()], [['finished'], ['a', 'b']]);
    await write('c', 'x'.repeat(1_400));
    await retention.sweep();
    assert.deepEqual([await keys(acme), await open()], [[], ['a', 'b', 'c']]);
    await write('a', 'x'.repeat(4_000));
    await retention.sweep();
    assert.deepEqual([await keys(acme), await open()], [['b'], ['a', 'c']], 'b, whose lines are few bytes in a blob');
    assert.ok(((await streams.held()).get(acme) ?? 0) <= 10_000);
  },
);

storeTest(
  'an account has a bounded number of open streams, and one more is refused',
  async (_t, { database, dialect }) => {
    if (dialect === 'sqlite') await prepareLogTables(database);
    const streams = new StreamStore(database, 2);
    await streams.open(acme, key('a'), 1);
    await streams.open(acme, key('b'), 1);
    await assert.rejects(streams.open(acme, key('c'), 1), { code: 'TOO_MANY_REQUESTS', message: /2 open log streams/ });
    assert.notEqual(await streams.open(acme, key('b'), 1), null, 'one that replaces another is none more');
    await streams.open(beta, key('c'), 1);
    const first = await streams.find(acme, key('a'));
    assert.ok(first !== null && (await streams.close(first.id, 1)));
    await streams.open(acme, key('c'), 1);
  },
);
