// Alone in its process: measures the longest turn of its event loop.
import assert from 'node:assert/strict';
import { eventually, longestTurn, onBothDatabases } from '@sallyport/dev-env';
import { idsOf, key, owner, tailRig, upTo } from '../../test/tail-rig.ts';
import { openDatabase } from '../database/open-database.ts';
import { readLines } from './log-lines.ts';

const storeTest = onBothDatabases(openDatabase);

async function readAll(content: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts).toString();
}

storeTest('a thousand tails of one stream cost one read of it', async (t, database) => {
  const { store, live, tails, write, tail, close } = await tailRig(t, database);
  for (let round = 0; round < 20; round += 1) await write(...upTo(50).map((count) => `before ${round} ${count}\n`));
  assert.equal(store.reads, 0, 'writing reads nothing');
  const readers: Awaited<ReturnType<typeof tail>>[] = [];
  for (let index = 0; index < 1_000; index += 1) readers.push(await tail());
  assert.equal(tails.size, 1_000);
  assert.equal(live.size, 1);
  const { longestMs } = await longestTurn(async () => {
    for (let round = 0; round < 5; round += 1) await write(...upTo(50).map((count) => `after ${round} ${count}\n`));
    for (const { last } of readers) await eventually('every line', () => last() === 1_250);
  });
  const every = upTo(1_250);
  // Nearly all of them got the same bytes.
  for (const text of new Set(readers.map(({ text }) => text()))) assert.deepEqual(idsOf(text), every);
  assert.equal(store.reads, 1);
  t.diagnostic(`longest turn of the event loop while 1,000 tails got 250 lines: ${longestMs.toFixed(1)} ms`);
  await close();
  for (const { text } of readers) await eventually('the end', () => text().endsWith('event: error\ndata: eof\n\n'));
  await eventually('nobody reads', () => live.size === 0);
});

storeTest('a tail begins where it is asked to', async (t, database) => {
  const { write, tail, close } = await tailRig(t, database);
  await write('1', '2', '3', '4');
  const at = await Promise.all(['', 'from=3', 'from=end', 'from=5', 'from=99'].map((query) => tail(query)));
  for (const { text } of at) await eventually('it runs', () => text().startsWith(': ping\n'));
  await write('5');
  await close();
  const expected = [upTo(5), [3, 4, 5], [5], [5], upTo(5)];
  for (const [index, { response, text }] of at.entries()) {
    await eventually('the end', () => response.readableEnded);
    assert.deepEqual(idsOf(text()), expected[index]);
  }
});

storeTest('whoever comes back with the last id that it saw gets every line once', async (t, database) => {
  const { write, tail, close } = await tailRig(t, database);
  const seen: number[] = [];
  let more = true;
  const writing = (async () => {
    for (let count = 0; count < 60; count += 1) await write(`${count} a\n`, `${count} b\n`);
    await close();
    more = false;
  })();
  for (;;) {
    const { response, text } = await tail(`from=${(seen.at(-1) ?? 0) + 1}`);
    await eventually('something came', () => idsOf(text()).length > 3 || response.readableEnded);
    const ended = response.readableEnded;
    response.destroy();
    seen.push(...idsOf(text()));
    if (ended && !more) break;
  }
  await writing;
  assert.deepEqual(seen, upTo(120));
});

storeTest('what another replica wrote arrives, by its announcement or without one', async (t, database) => {
  const { store, bus, write, tail } = await tailRig(t, database);
  await write('1');
  const { text } = await tail();
  await eventually('the first', () => idsOf(text()).length === 1);
  const elsewhere = async (out: string) => {
    const write = await readLines(Buffer.from(JSON.stringify([{ out }])));
    const [appended] = await store.append([{ owner, key, writes: [write] }], Date.now());
    return appended;
  };
  const appended = await elsewhere('2');
  if (appended === null || appended === undefined) throw new Error('not written');
  await bus.commit({ type: 'logs-written', streams: [[appended.streamId, 3]] }, async () => undefined);
  await eventually('the announced line', () => idsOf(text()).length === 2);
  await elsewhere('3');
  await write('4');
  await eventually('both', () => idsOf(text()).length === 4);
  await elsewhere('5');
  await eventually('the line that nobody announced', () => idsOf(text()).length === 5);
  assert.deepEqual(idsOf(text()), upTo(5));
});

storeTest(
  'a stream has all its lines, and those that are in no memory are read once for all who want them',
  async (t, database) => {
    const { store, write, tail, close } = await tailRig(t, database, { bounds: { lines: 100, bytes: 1_000_000 } });
    for (let round = 0; round < 30; round += 1) await write(...upTo(10).map(String));
    const plain = await tail();
    await eventually('the newest lines', () => idsOf(plain.text()).at(-1) === 300);
    const [first = 0] = idsOf(plain.text());
    assert.ok(first >= 181 && first <= 201, String(first));
    assert.deepEqual(idsOf(plain.text()), upTo(301 - first, first));
    assert.ok(!plain.text().includes('gap'), 'as existing clients expect');
    const reads = store.reads;
    const behind = await Promise.all(upTo(50).map((index) => tail(index % 2 === 0 ? 'from=start' : 'from=1')));
    for (const { text } of behind) await eventually('every line', () => idsOf(text()).length === 300);
    await write('301');
    for (const { text } of behind) await eventually('the new line', () => idsOf(text()).length === 301);
    await close();
    for (const { text } of behind) {
      await eventually('the end', () => text().endsWith('data: eof\n\n'));
      assert.deepEqual(idsOf(text()), upTo(301));
    }
    assert.equal(store.reads, reads + 2, 'once for the tails, once for the blob');
  },
);

storeTest('a stream keeps its newest lines, and a reader is told how many it missed', async (t, database) => {
  const { streams, write, tail, logs, caller, close } = await tailRig(t, database, { maxBytes: 8_000 });
  for (let round = 0; round < 30; round += 1) await write(...upTo(10).map(String));
  const stream = await streams.find(owner, key);
  assert.ok(stream !== null && stream.next === 301);
  assert.ok(stream.first > 150 && stream.first < 290, String(stream.first));
  const { text } = await tail('from=start');
  await eventually('the kept lines', () => idsOf(text()).at(-1) === 300);
  assert.deepEqual(idsOf(text()), upTo(301 - stream.first, stream.first));
  assert.ok(text().includes(`event: gap\ndata: {"lines":${stream.first - 1}}\n\n`), text().slice(0, 200));
  await close();
  const rows = (await readAll(await logs.getBlob(caller, key))).split('\n').slice(0, -1);
  assert.equal(rows.length, 302 - stream.first);
  assert.match(rows[0] ?? '', new RegExp(`\\[${stream.first - 1} earlier lines of this log were dropped`));
});

storeTest('a reader that takes nothing is ended, told so when it listens again, and can go on', async (t, database) => {
  const bounds = { lines: 5_000, bytes: 64 * 1_048_576 };
  const { tails, write, tail } = await tailRig(t, database, { bounds, timings: { slowAfterMs: 100 } });
  const { response, text } = await tail();
  await eventually('it runs', () => text().startsWith(': ping\n'));
  response.pause();
  // More than the sockets' buffers take.
  const wide = 'x'.repeat(60_000);
  for (let round = 0; round < 30; round += 1) await write(...upTo(10).map(() => wide));
  await eventually('it is ended', () => tails.size === 0);
  response.resume();
  await eventually('its client hears of it', () => response.closed);
  const got = idsOf(text());
  assert.deepEqual(got, upTo(got.length));
  assert.ok(got.length < 300, String(got.length));
  assert.ok(!text().includes('data: eof'), 'this is not the end of the stream');
  assert.ok(text().endsWith(`event: slow\ndata: {"after":${got.length}}\n\n`), text().slice(-100));
  const again = await tail(`from=${got.length + 1}`);
  await eventually('the rest', () => again.last() === 300);
  await eventually('the last line as a whole', () => again.text().endsWith('\n\n'));
  assert.deepEqual(idsOf(again.text()), upTo(300 - got.length, got.length + 1));
  again.response.destroy();
});

storeTest('silence is filled with pings, and a tail has its time', async (t, database) => {
  const { tail } = await tailRig(t, database, { timings: { pingEveryMs: 500, limitMs: 3_500 } });
  const { response, text } = await tail();
  await eventually('the end', () => response.readableEnded, 15_000);
  assert.match(text(), /^(: ping\n\n){3,5}event: error\ndata: eof\n\n$/);
});

storeTest('a tail ends when who reads it may not any more', async (t, database) => {
  const { bus, write, tail, refuse } = await tailRig(t, database);
  const { response, text } = await tail();
  await write('1');
  await eventually('the line', () => idsOf(text()).length === 1);
  refuse();
  await bus.commit({ type: 'tokens-changed', accountId: 'other' }, async () => undefined);
  assert.equal(response.readableEnded, false, "another account's change touches nobody");
  await bus.commit({ type: 'tokens-changed', accountId: 'acme' }, async () => undefined);
  await eventually('it ended', () => response.readableEnded);
  assert.ok(!text().includes('eof'));
});
