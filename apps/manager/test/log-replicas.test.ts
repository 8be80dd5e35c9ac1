import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import S3rver from '@20minutes/s3rver';
import { createTestDatabase, type DevAccount, DevManager, dropTestDatabase, testPostgres } from '@sallyport/dev-env';
import { type LogClient, LogRig } from './log-rig.ts';

// Two managers on one PostgreSQL, with their blobs in one S3-compatible storage.

let url: string;
let here: DevManager;
let there: DevManager;
let rigs: { here: LogRig; there: LogRig };
let s3: S3rver;
let bucketFolder: string;
let accounts = 0;

after(async () => {
  rigs.here.close();
  rigs.there.close();
  await Promise.all([here.stop(), there.stop()]);
  await dropTestDatabase(url);
  await s3.close();
  rmSync(bucketFolder, { recursive: true, force: true });
});
const postgresUrl = testPostgres();

before(async () => {
  url = await createTestDatabase(await postgresUrl());
  bucketFolder = mkdtempSync(join(tmpdir(), 'sallyport-s3-'));
  s3 = new S3rver({
    ...{ port: 0, address: '127.0.0.1', silent: true, directory: bucketFolder },
    configureBuckets: [{ name: 'sallyport-logs', configs: [] }],
  });
  const { port } = await s3.run();
  const environment = {
    SALLYPORT_DATABASE_URL: url,
    SALLYPORT_MASTER_KEY: randomBytes(32).toString('hex'),
    SALLYPORT_LOG_S3_BUCKET: 'sallyport-logs',
    SALLYPORT_LOG_S3_ENDPOINT: `http://127.0.0.1:${port}`,
    SALLYPORT_LOG_S3_ACCESS_KEY_ID: 'S3RVER',
    SALLYPORT_LOG_S3_SECRET_ACCESS_KEY: 'S3RVER',
  };
  here = await DevManager.start({ environment });
  there = await DevManager.start({ environment });
  there.operatorKey = here.operatorKey;
  rigs = { here: new LogRig(here), there: new LogRig(there) };
});

async function clients(): Promise<{ account: DevAccount; writer: LogClient; other: LogClient; reader: LogClient }> {
  accounts += 1;
  const account = await here.account(`acme-${accounts}`);
  const token = await rigs.here.token(account);
  return {
    account,
    writer: await rigs.here.writer(account, token),
    other: await rigs.there.writer(account, token),
    reader: await rigs.there.reader(account),
  };
}

test('a tail at one replica gives what is written at both, each line once, and ends with the stream', async () => {
  const { account, writer, other } = await clients();
  await writer.open('k');
  await writer.write('k', 'first\n');
  const tails = [await (await rigs.here.reader(account)).tail('k'), await (await rigs.there.reader(account)).tail('k')];
  await Promise.all(
    [writer, other].map(async (client, who) => {
      for (let count = 0; count < 50; count += 1) {
        assert.equal((await client.write('k', `${who} ${count}\n`)).status, 204);
      }
    }),
  );
  for (const tail of tails) await tail.until(({ outs }) => outs.length === 101);
  assert.equal((await other.close('k', '&snapshot=true')).status, 204);
  for (const tail of tails) {
    await tail.ended;
    assert.deepEqual(
      tail.lines.map(([id]) => id),
      Array.from({ length: 101 }, (_, index) => index + 1),
    );
    for (const who of [0, 1]) {
      assert.deepEqual(
        tail.outs.filter((out) => out.startsWith(`${who} `)),
        Array.from({ length: 50 }, (_, count) => `${who} ${count}\n`),
      );
    }
    assert.ok(tail.text.endsWith('data: eof\n\n'));
  }
  assert.deepEqual(tails[0]?.lines, tails[1]?.lines, 'in the same order');
});

test('a tail goes on at another replica where it was cut off at the first', async () => {
  const { account, writer } = await clients();
  await writer.open('k');
  await writer.write('k', '1', '2', '3');
  const first = await (await rigs.here.reader(account)).tail('k');
  await first.until(({ outs }) => outs.length === 3);
  first.response.destroy();
  await writer.write('k', '4', '5');
  const second = await (await rigs.there.reader(account)).tail('k', '', { 'last-event-id': '3' });
  await second.until(({ outs }) => outs.length === 2);
  await writer.write('k', '6');
  await writer.close('k', '&snapshot=true');
  await second.ended;
  assert.deepEqual(second.lines, [
    [4, '4'],
    [5, '5'],
    [6, '6'],
  ]);
  const late = await (await rigs.there.reader(account)).tail('k', '', { 'last-event-id': '5' });
  await late.ended;
  assert.deepEqual(late.lines, [[6, '6']], 'what is left of a stream that was closed a moment ago');
  const plain = await (await rigs.there.reader(account)).tail('k');
  await plain.ended;
  assert.equal(plain.text, ': ping\n\nevent: error\ndata: eof\n\n', 'without a position it is missing');
});

test('a blob that one replica stored in S3 is read, replaced and deleted through the other', async () => {
  const { writer, other, reader } = await clients();
  const large = `${JSON.stringify({ out: randomBytes(200_000).toString('base64') })}\n`.repeat(10);
  assert.equal((await writer.call('POST', '/blob', 'k', '', large)).status, 204);
  assert.equal((await reader.blob('k')).text, large);
  assert.equal((await other.call('POST', '/blob', 'k', '', 'small')).status, 204);
  assert.equal((await reader.blob('k')).text, 'small');
  assert.equal((await writer.call('DELETE', '/blob', 'k')).status, 204);
  assert.equal((await reader.blob('k')).status, 404);
  assert.equal((await reader.raw('GET', '/ready/healthz', '')).status, 200);
});

test('an open at one replica ends the readers at the other', async () => {
  const { account, writer, other } = await clients();
  await writer.open('k');
  await writer.write('k', 'old');
  const tail = await (await rigs.there.reader(account)).tail('k');
  await tail.until(({ outs }) => outs.length === 1);
  await writer.open('k');
  await tail.ended;
  assert.equal((await other.write('k', 'new')).status, 204);
});
