import assert from 'node:assert/strict';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { eventually, longestTurn, onBothDatabases } from '@sallyport/dev-env';
import { LocalBus } from '../bus/local-bus.ts';
import { createLogTables } from '../database/logs.ts';
import { type Database, openDatabase } from '../database/open-database.ts';
import { createLogger } from '../http/logger.ts';
import { LineStore, type StreamBounds } from './line-store.ts';
import { LineWriter } from './line-writer.ts';
import { LiveStreams } from './live-streams.ts';
import type { LogCaller } from './log-authentication.ts';
import { logKeyOf } from './log-key.ts';
import { readLines } from './log-lines.ts';
import { TAIL_TIMINGS, type TailTimings } from './tail.ts';
import { type TailStart, Tails } from './tails.ts';

const storeTest = onBothDatabases(openDatabase);
const key = logKeyOf('run:1');
const owner = 'acme@1';
const caller: LogCaller = { accountId: 'acme', accountCreatedAt: 1, owner, under: '', grant: null, principal: null };
const START: TailStart = { from: 'start', lingering: false };

interface Options {
  readonly bounds?: StreamBounds;
  readonly timings?: Partial<TailTimings>;
}

/** Tails over real sockets, on the real store; `replicated`, so that nothing is taken for granted. */
async function service(t: TestContext, { database, dialect }: Database, options: Options = {}) {
  if (dialect === 'sqlite') await createLogTables(database);
  const { bounds = { lines: 5_000, bytes: 5_242_880 } } = options;
  const logger = createLogger('silent');
  const bus = new LocalBus(database, logger);
  const store = new LineStore(database, bounds);
  const live = new LiveStreams({ store, bounds, bus, logger, replicated: true });
  const clock = { now: () => new Date() };
  const writer = new LineWriter(store, clock, (appended, chunks) => live.written(appended, chunks));
  const tails = new Tails({ store, live, bus, logger, timings: { ...TAIL_TIMINGS, ...options.timings } });
  let allowed = true;
  const recheck = async () => {
    if (!allowed) throw new Error('not any more');
  };
  const server = createServer((request, response) => {
    const from = new URL(request.url ?? '/', 'http://x').searchParams.get('from');
    const start: TailStart = from === null ? START : { from: from === 'end' ? 'end' : Number(from), lingering: true };
    tails
      .open(response, caller, key, start, recheck, () => undefined)
      .catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    tails.stop();
    await live.stop();
  });
  await store.open(owner, key, Date.now());
  const write = async (...texts: string[]) => {
    const chunks = await readLines(Buffer.from(JSON.stringify(texts.map((out) => ({ out })))));
    assert.equal(await writer.write(owner, key, chunks), true);
  };
  const tail = (query = '') =>
    new Promise<{ response: IncomingMessage; text: () => string; last: () => number }>((resolve, reject) => {
      get({ port, path: `/?${query}`, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        let carry = '';
        let last = 0;
        response.on('data', (chunk: string) => {
          text += chunk;
          const fresh = carry + chunk;
          last = ids(fresh).at(-1) ?? last;
          carry = fresh.slice(-30);
        });
        response.on('error', () => undefined);
        resolve({ response, text: () => text, last: () => last });
      }).on('error', reject);
    });
  const close = async () => {
    const stream = await store.find(owner, key);
    if (stream === null) throw new Error('the stream is not open');
    await store.close(stream.id, Date.now());
    live.ended(stream.id);
  };
  const refuse = () => {
    allowed = false;
  };
  return { store, live, bus, tails, write, tail, close, refuse };
}

const ids = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
const upTo = (count: number, from = 1) => Array.from({ length: count }, (_, index) => from + index);

storeTest('a thousand tails of one stream cost one read of it', async (t, database) => {
  const { store, live, tails, write, tail, close } = await service(t, database);
  for (let round = 0; round < 20; round += 1) await write(...upTo(50).map((count) => `before ${round} ${count}\n`));
  assert.equal(store.reads, 0, 'writing reads nothing');
  const readers: Awaited<ReturnType<typeof tail>>[] = [];
  for (let index = 0; index < 1_000; index += 1) readers.push(await tail());
  assert.equal(tails.size, 1_000);
  assert.equal(live.size, 1);
  const { longestMs } = await longestTurn(async () => {
    for (let round = 0; round < 5; round += 1) await write(...upTo(50).map((count) => `after ${round} ${count}\n`));
    for (const { text } of readers) await eventually('every line', () => ids(text()).length === 1_250);
  });
  for (const { text } of readers) assert.deepEqual(ids(text()), upTo(1_250));
  assert.equal(store.reads, 1);
  t.diagnostic(`longest turn of the event loop while 1,000 tails got 250 lines: ${longestMs.toFixed(1)} ms`);
  await close();
  for (const { text } of readers) await eventually('the end', () => text().endsWith('event: error\ndata: eof\n\n'));
  await eventually('nobody reads', () => live.size === 0);
});

storeTest('a tail begins where it is asked to', async (t, database) => {
  const { write, tail, close } = await service(t, database);
  await write('1', '2', '3', '4');
  const at = await Promise.all(['', 'from=3', 'from=end', 'from=5', 'from=99'].map((query) => tail(query)));
  for (const { text } of at) await eventually('it runs', () => text().startsWith(': ping\n'));
  await write('5');
  await close();
  const expected = [upTo(5), [3, 4, 5], [5], [5], upTo(5)];
  for (const [index, { response, text }] of at.entries()) {
    await eventually('the end', () => response.readableEnded);
    assert.deepEqual(ids(text()), expected[index]);
  }
});

storeTest('whoever comes back with the last id that it saw gets every line once', async (t, database) => {
  const { write, tail, close } = await service(t, database);
  const seen: number[] = [];
  let more = true;
  const writing = (async () => {
    for (let count = 0; count < 60; count += 1) await write(`${count} a\n`, `${count} b\n`);
    await close();
    more = false;
  })();
  for (;;) {
    const { response, text } = await tail(`from=${(seen.at(-1) ?? 0) + 1}`);
    await eventually('something came', () => ids(text()).length > 3 || response.readableEnded);
    const ended = response.readableEnded;
    response.destroy();
    seen.push(...ids(text()));
    if (ended && !more) break;
  }
  await writing;
  assert.deepEqual(seen, upTo(120));
});

storeTest('what another replica wrote arrives, by its announcement or without one', async (t, database) => {
  const { store, bus, write, tail } = await service(t, database);
  await write('1');
  const { text } = await tail();
  await eventually('the first', () => ids(text()).length === 1);
  const elsewhere = async (out: string) => {
    const chunks = await readLines(Buffer.from(JSON.stringify([{ out }])));
    const [appended] = await store.append([{ owner, key, chunks }], Date.now());
    return appended;
  };
  const appended = await elsewhere('2');
  if (appended === null || appended === undefined) throw new Error('not written');
  await bus.commit({ type: 'logs-written', streams: [[appended.streamId, 3]] }, async () => undefined);
  await eventually('the announced line', () => ids(text()).length === 2);
  await elsewhere('3');
  await write('4');
  await eventually('both', () => ids(text()).length === 4);
  await elsewhere('5');
  await eventually('the line that nobody announced', () => ids(text()).length === 5);
  assert.deepEqual(ids(text()), upTo(5));
});

storeTest('a stream keeps its newest lines, and a reader is told how many it missed', async (t, database) => {
  const { store, write, tail } = await service(t, database, { bounds: { lines: 100, bytes: 1_000_000 } });
  for (let round = 0; round < 30; round += 1) await write(...upTo(10).map(String));
  const stream = await store.find(owner, key);
  assert.ok(stream !== null && stream.next === 301);
  assert.ok(stream.next - stream.first >= 100 && stream.next - stream.first <= 120, String(stream.first));
  const { text } = await tail();
  await eventually('the kept lines', () => ids(text()).at(-1) === 300);
  assert.deepEqual(ids(text()), upTo(301 - stream.first, stream.first));
  assert.ok(text().includes(`event: gap\ndata: {"lines":${stream.first - 1}}\n\n`), text().slice(0, 200));
});

storeTest('a reader that takes nothing is ended, told so when it listens again, and can go on', async (t, database) => {
  const bounds = { lines: 5_000, bytes: 64 * 1_048_576 };
  const { tails, write, tail } = await service(t, database, { bounds, timings: { slowAfterMs: 100 } });
  const { response, text } = await tail();
  await eventually('it runs', () => text().startsWith(': ping\n'));
  response.pause();
  // More than the sockets' buffers take.
  const wide = 'x'.repeat(60_000);
  for (let round = 0; round < 30; round += 1) await write(...upTo(10).map(() => wide));
  await eventually('it is ended', () => tails.size === 0);
  response.resume();
  await eventually('its client hears of it', () => response.closed);
  const got = ids(text());
  assert.deepEqual(got, upTo(got.length));
  assert.ok(got.length < 300, String(got.length));
  assert.ok(!text().includes('data: eof'), 'this is not the end of the stream');
  assert.ok(text().endsWith(`event: slow\ndata: {"after":${got.length}}\n\n`), text().slice(-100));
  const again = await tail(`from=${got.length + 1}`);
  await eventually('the rest', () => again.last() === 300);
  await eventually('the last line as a whole', () => again.text().endsWith('\n\n'));
  assert.deepEqual(ids(again.text()), upTo(300 - got.length, got.length + 1));
  again.response.destroy();
});

storeTest('silence is filled with pings, and a tail has its time', async (t, database) => {
  const { tail } = await service(t, database, { timings: { pingEveryMs: 500, limitMs: 3_500 } });
  const { response, text } = await tail();
  await eventually('the end', () => response.readableEnded, 15_000);
  assert.match(text(), /^(: ping\n\n){3,5}event: error\ndata: eof\n\n$/);
});

storeTest('a tail ends when who reads it may not any more', async (t, database) => {
  const { bus, write, tail, refuse } = await service(t, database);
  const { response, text } = await tail();
  await write('1');
  await eventually('the line', () => ids(text()).length === 1);
  refuse();
  await bus.commit({ type: 'tokens-changed', accountId: 'other' }, async () => undefined);
  assert.equal(response.readableEnded, false, "another account's change touches nobody");
  await bus.commit({ type: 'tokens-changed', accountId: 'acme' }, async () => undefined);
  await eventually('it ended', () => response.readableEnded);
  assert.ok(!text().includes('eof'));
});
