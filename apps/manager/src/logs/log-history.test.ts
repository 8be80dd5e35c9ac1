import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { eventually, onBothDatabases } from '@sallyport/dev-env';
import { idsOf, key, owner, tailRig, upTo } from '../../test/tail-rig.ts';
import { openDatabase } from '../database/open-database.ts';
import { logKeyOf } from './log-key.ts';

// A log beyond one stream: writes that are repeated, logs that go on, and reading what has ended.

const storeTest = onBothDatabases(openDatabase);
const DAY = 86_400_000;
type Rig = Awaited<ReturnType<typeof tailRig>>;

/** A write as a delegate sends it: numbered lines. */
const send = ({ logs, caller }: Rig, from: number, to: number, writer = 'w') => {
  const lines = upTo(to - from + 1, from).map((pos) => ({ out: `${writer} ${pos}\n`, pos }));
  return logs.write(caller, key, Buffer.from(JSON.stringify(lines)), writer);
};
const sent = (from: number, to: number, writer = 'w') => upTo(to - from + 1, from).map((pos) => `${writer} ${pos}\n`);

async function blobOf({ logs, caller }: Rig): Promise<string[]> {
  const parts: Buffer[] = [];
  for await (const part of await logs.getBlob(caller, key)) parts.push(part as Buffer);
  const rows = Buffer.concat(parts).toString().split('\n').slice(0, -1);
  return rows.map((row) => (JSON.parse(row) as { out: string }).out);
}

async function tailed(rig: Rig, query: string): Promise<{ ids: number[]; outs: string[]; text: string }> {
  const { response, text } = await rig.tail(query);
  await eventually('the end', () => response.readableEnded);
  const outs = [...text().matchAll(/^data: (\{.*"out".*\})$/gm)].map(
    ([, json = '']) => (JSON.parse(json) as { out: string }).out,
  );
  return { ids: idsOf(text()), outs, text: text() };
}

storeTest('a write that is repeated is stored once, however it is cut, whoever else writes', async (t, database) => {
  const rig = await tailRig(t, database);
  const { response, text } = await rig.tail('from=start');
  assert.equal(await send(rig, 0, 9), true);
  assert.equal(await send(rig, 0, 9), true, 'its answer was lost');
  assert.equal(await send(rig, 0, 4, 'other'), true);
  assert.equal(await send(rig, 5, 14), true, 'half of it is there');
  assert.equal(await send(rig, 3, 7), true, 'all of it is there');
  // In one transaction, as when the first one is still waiting for the disk.
  await Promise.all([send(rig, 15, 700), send(rig, 15, 700), send(rig, 15, 1_200)]);
  await rig.write('unnumbered\n');
  await rig.write('unnumbered\n');
  await rig.close();
  const expected = [...sent(0, 9), ...sent(0, 4, 'other'), ...sent(10, 1_200), 'unnumbered\n', 'unnumbered\n'];
  assert.deepEqual(await blobOf(rig), expected);
  await eventually('the end', () => response.readableEnded);
  assert.deepEqual(idsOf(text()), upTo(expected.length));
});

storeTest(
  'a log that is opened to go on keeps its lines, open or closed, and knows its writers',
  async (t, database) => {
    const rig = await tailRig(t, database);
    const again = () => rig.logs.open(rig.caller, key, true);
    await send(rig, 0, 4);
    await again();
    assert.equal(await send(rig, 3, 6), true);
    await rig.close();
    assert.equal(await send(rig, 7, 9), false, 'it is closed');
    await again();
    assert.equal(await send(rig, 5, 9), true);
    const follower = await rig.tail('from=3');
    await rig.close();
    assert.deepEqual(await blobOf(rig), sent(0, 9));
    await eventually('the end', () => follower.response.readableEnded);
    assert.deepEqual(idsOf(follower.text()), upTo(8, 3), 'through the blob and the stream');
    // Days later nothing of the streams is left but the blob.
    rig.clock.at += DAY;
    await rig.archiver.sweep();
    assert.equal(await rig.streams.find(owner, key, true), null);
    await again();
    assert.equal(await send(rig, 8, 11), true);
    await rig.close();
    assert.deepEqual(await blobOf(rig), sent(0, 11));
    assert.deepEqual((await tailed(rig, 'from=start')).outs, sent(0, 11));
  },
);

storeTest('a log that went on and got no line is closed like any other, once and again', async (t, database) => {
  const rig = await tailRig(t, database);
  for (let round = 0; round < 3; round += 1) {
    await rig.logs.close(rig.caller, key, round !== 1);
    await rig.logs.open(rig.caller, key, true);
  }
  await send(rig, 1, 2);
  await rig.close();
  assert.deepEqual(await blobOf(rig), sent(1, 2));
  await rig.logs.open(rig.caller, key, true);
  await rig.close();
  assert.deepEqual(await blobOf(rig), sent(1, 2));
  assert.deepEqual((await tailed(rig, 'from=start')).ids, [1, 2]);
  // Two of them that a process left when it died.
  await rig.logs.open(rig.caller, key, true);
  await rig.close();
  const { database: store } = database;
  await store.updateTable('log_streams').set({ state: 'closing' }).where('state', '=', 'closed').execute();
  rig.clock.at += DAY;
  await rig.archiver.sweep();
  assert.deepEqual(await blobOf(rig), sent(1, 2));
});

storeTest('names of writers that are made up for each write do not heap up in what is kept', async (t, database) => {
  const rig = await tailRig(t, database);
  for (let count = 0; count < 120; count += 1) await send(rig, 1, 1, `w${count}`);
  await rig.close();
  const { writers = {} } = (await rig.blobs.find(owner, key))?.span ?? {};
  assert.equal(Object.keys(writers).length, 100);
  assert.equal((await blobOf(rig)).length, 120);
});

storeTest('a log goes on behind one whose blob was not made yet', async (t, database) => {
  const rig = await tailRig(t, database);
  await send(rig, 0, 4);
  const stream = await rig.streams.find(owner, key);
  assert.ok(stream !== null && (await rig.streams.close(stream.id, rig.clock.at)), 'and then its process died');
  await rig.logs.open(rig.caller, key, true);
  await send(rig, 3, 9);
  await rig.close();
  assert.deepEqual(await blobOf(rig), sent(0, 9));
  rig.clock.at += DAY;
  await rig.archiver.sweep();
  assert.deepEqual(await blobOf(rig), sent(0, 9), 'what was closed first does not replace it later');
});

storeTest('a blob that was stored by a process that died then is not stored a second time', async (t, database) => {
  const rig = await tailRig(t, database);
  await send(rig, 0, 4);
  await rig.close();
  await rig.logs.open(rig.caller, key, true);
  await send(rig, 5, 9);
  await rig.close();
  const stream = await rig.streams.find(owner, key, true);
  assert.ok(stream !== null);
  await database.database.updateTable('log_streams').set({ state: 'closing' }).where('id', '=', stream.id).execute();
  rig.clock.at += DAY;
  await rig.archiver.sweep();
  assert.deepEqual(await blobOf(rig), sent(0, 9));
});

storeTest('whoever comes back after the log has ended gets the rest of it, long after as well', async (t, database) => {
  const rig = await tailRig(t, database);
  await send(rig, 1, 2_000);
  await rig.close();
  for (const passed of [0, DAY]) {
    rig.clock.at += passed;
    await rig.archiver.sweep();
    assert.deepEqual((await tailed(rig, 'from=1501')).ids, upTo(500, 1_501));
    assert.deepEqual((await tailed(rig, 'from=start')).ids, upTo(2_000));
    assert.deepEqual((await tailed(rig, 'from=2001')).ids, []);
    assert.deepEqual((await tailed(rig, 'from=end')).ids, []);
    assert.equal((await tailed(rig, '')).text, ': ping\n\nevent: error\ndata: eof\n\n', 'to others it is missing');
  }
  // A new stream of the key counts on: no number stands for two lines.
  await rig.logs.open(rig.caller, key, false);
  await send(rig, 1, 3);
  const replaced = await rig.tail('from=1501');
  await eventually('the new lines', () => replaced.last() === 2_003);
  assert.deepEqual(idsOf(replaced.text()), [2_001, 2_002, 2_003]);
  assert.ok(replaced.text().includes('event: gap\ndata: {"lines":500}\n\n'), 'and the lost ones are told');
  replaced.response.destroy();
});

storeTest('a blob that a client has uploaded has no numbers, and is left to GET', async (t, database) => {
  const rig = await tailRig(t, database);
  await send(rig, 1, 3);
  await rig.logs.putBlob(rig.caller, key, Readable.from([Buffer.from('{"out":"uploaded\\n"}\n')]));
  await rig.logs.close(rig.caller, key, false);
  rig.clock.at += DAY;
  await eventually('it is closed', async () => {
    await rig.archiver.sweep();
    return (await rig.streams.find(owner, key, true)) === null;
  });
  assert.deepEqual(await blobOf(rig), ['uploaded\n']);
  assert.deepEqual((await tailed(rig, 'from=1')).ids, []);
});

storeTest('a log that is deleted on its way into a blob is gone, and does not come back', async (t, database) => {
  const rig = await tailRig(t, database);
  const { streams, blobs, archiver, logs, caller, clock } = rig;
  const closing = async () => {
    if ((await streams.find(owner, key)) === null) await logs.open(caller, key, false);
    await send(rig, 0, 4);
    const stream = await streams.find(owner, key);
    assert.ok(stream !== null && (await streams.close(stream.id, clock.at)));
    return stream;
  };
  const gone = async () => {
    clock.at += 120_000;
    await archiver.sweep();
    assert.deepEqual([await logs.blobExists(caller, key), await streams.find(owner, key, true)], [false, null]);
    await assert.rejects(logs.deleteBlob(caller, key), { code: 'ENTITY_NOT_FOUND' });
  };
  await closing();
  await logs.deleteBlob(caller, key);
  await gone();
  await closing();
  await logs.deleteBlobsBelow(caller, logKeyOf('run:'));
  await gone();
  // Its object is there already, and is about to become the blob.
  const { id } = await closing();
  const object = await blobs.begin(owner, key, clock.at);
  await logs.deleteBlob(caller, key);
  assert.equal(await blobs.finish(object, 1, 1, { streamId: id, first: 1, next: 6, writers: {} }), false);
  await gone();
  await Promise.all([archiver.archive(await closing(), { snapshot: true }), logs.deleteBlob(caller, key)]);
  await gone();
});

storeTest('a list of blobs has the logs that have ended and were not in a blob yet', async (t, database) => {
  const rig = await tailRig(t, database);
  await send(rig, 0, 4);
  const stream = await rig.streams.find(owner, key);
  assert.ok(stream !== null && (await rig.streams.close(stream.id, rig.clock.at)));
  const listed = await rig.logs.blobsBelow(rig.caller, logKeyOf('run:'), 10);
  assert.deepEqual(
    listed.map((blob) => blob.key.text),
    ['run:1'],
  );
  assert.deepEqual(await blobOf(rig), sent(0, 4));
});
