import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManagerClient } from '@sallyport/client';
import { eventually } from '@sallyport/dev-env';
import { logKey, taskLogAbstractions } from '@sallyport/protocol';
import { pino } from 'pino';
import { LogServer } from '../../test/log-server.ts';
import { LogService } from './log-service.ts';
import type { LogTimings } from './log-stream.ts';
import { SpoolFolder } from './spool-folder.ts';
import { TaskLogs, type TaskOutput } from './task-logs.ts';

const TIMINGS: LogTimings = { flushMs: 20, gatherMs: 2, slowMs: 50, retryBaseMs: 5, retryMaxMs: 20 };
const TOKEN = 'log-token';

interface Options {
  readonly server: LogServer;
  readonly folder?: string | null;
  readonly spoolBytes?: number;
  readonly memoryBytes?: number;
  readonly totalMemoryBytes?: number;
  readonly timings?: Partial<LogTimings>;
}

interface Rig {
  readonly logs: TaskLogs;
  readonly folder: SpoolFolder | null;
  readonly messages: string[];
  begin(id: string, secrets?: Record<string, string>): Promise<TaskOutput>;
}

async function setup(context: TestContext, options: Options): Promise<Rig> {
  const { server, spoolBytes = 64_000_000, memoryBytes = 16_000_000, totalMemoryBytes = 64_000_000 } = options;
  const client = await ManagerClient.create({ baseUrl: server.url, extraCaFiles: [server.caFile] });
  const messages: string[] = [];
  const directory = options.folder === undefined ? temporaryFolder(context) : options.folder;
  const folder = directory === null ? null : await SpoolFolder.open(directory, spoolBytes);
  const logs = new TaskLogs({
    service: new LogService(client, 'acme', { requestMs: 5000 }),
    accountId: 'acme',
    folder,
    secrets: ['the-delegates-own-token'],
    timings: { ...TIMINGS, ...options.timings },
    memoryBytes,
    totalMemoryBytes,
    logger: pino({ level: 'info' }, { write: (line) => void messages.push(line) }),
  });
  context.after(async () => {
    await logs.close();
    await client.close();
  });
  const begin = (id: string, secrets: Record<string, string> = {}) =>
    logs.begin({ id, logging: { token: TOKEN, abstractions: taskLogAbstractions(id) }, secrets }, true);
  return { logs, folder, messages, begin };
}

function temporaryFolder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-spool-test-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const keyOf = (id: string) => logKey(taskLogAbstractions(id));
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `line ${from + n}\n`).join('');
const print = (output: TaskOutput, text: string) => output.stdout.write(Buffer.from(text));

function finish(output: TaskOutput): void {
  output.stdout.end();
  output.stderr.end();
  output.end();
}

const closed = (server: LogServer, id: string) => eventually(`${id} is a blob`, () => server.blobs.has(keyOf(id)));

test('the outputs of a task arrive in order, told apart, and become a blob when it is over', async (context) => {
  const server = await LogServer.start(context);
  const { begin, logs, folder } = await setup(context, { server });
  const output = await begin('t1');
  print(output, 'one\ntw');
  output.stderr.write(Buffer.from('oops\n'));
  print(output, 'o\nthree');
  finish(output);
  await closed(server, 't1');
  const lines = server.blobs.get(keyOf('t1')) ?? [];
  assert.deepEqual(
    lines.map(({ pos, out, args, level }) => [pos, out, args?.['stream'] ?? null, level]),
    [
      [0, 'one\n', null, 'info'],
      [1, 'oops\n', 'stderr', 'info'],
      [2, 'two\n', null, 'info'],
      [3, 'three\n', null, 'info'],
    ],
  );
  assert.match(lines[0]?.time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  assert.deepEqual(
    new Set(server.requests),
    new Set(['POST', 'PUT', 'DELETE'].map((m) => `${m} ${keyOf('t1')} ${TOKEN}`)),
  );
  // The delegate's own token is not shown to the log service.
  assert.deepEqual([...server.authorizations], [undefined]);
  await eventually('nothing is left', () => logs.undelivered === 0 && folder?.budget.used === 0);
});

test('a line is on its way while the task still runs, many lines go together', async (context) => {
  const server = await LogServer.start(context);
  const { begin } = await setup(context, { server, timings: { flushMs: 100 } });
  const output = await begin('t1');
  for (let n = 0; n < 500; n += 1) print(output, `line ${n}\n`);
  await eventually('all are there', () => server.streams.get(keyOf('t1'))?.lines.length === 500);
  assert.ok(server.requests.length < 5, String(server.requests.length));
  finish(output);
});

test('without a log token nothing is sent, and the output is masked all the same', async (context) => {
  const server = await LogServer.start(context);
  const { logs } = await setup(context, { server });
  const secrets = { PASSWORD: 'hunter2' };
  const output = await logs.begin({ id: 't1', logging: { token: '', abstractions: {} }, secrets }, true);
  assert.equal(print(output, 'hunter2!\n').toString(), '***!\n');
  finish(output);
  assert.deepEqual(server.requests, []);
});

test('secrets reach neither the log service, nor the spool, nor the result, also when a chunk or a line ends in them', async (context) => {
  const server = await LogServer.start(context);
  const directory = temporaryFolder(context);
  const { begin } = await setup(context, { server, folder: directory });
  server.goAway();
  const output = await begin('t1', { PASSWORD: 'hun\nter2', OTHER: 'unused' });
  const shown = ['a hun', '\nter2 b\nthe-delegates-', 'own-token\n', 'aHVuCnRlcjI=\n'].map((text) =>
    print(output, text),
  );
  assert.equal(Buffer.concat(shown).toString(), 'a *** b\n***\n***\n');
  finish(output);
  const spool = await eventually('it is spooled', () => {
    const text = readdirSync(directory)
      .map((name) => readFileSync(join(directory, name), 'utf8'))
      .join();
    return text.includes('a *** b') && text;
  });
  assert.ok(!/ter2|delegates-|aHVuC/.test(spool));
  await server.listen();
  await closed(server, 't1');
  assert.equal(server.textOf(keyOf('t1')), 'a *** b\n***\n***\n');
  assert.ok(!/ter2|delegates-|aHVuC/.test(server.bodies.join()));
});

test('while the service is away lines are spooled, and arrive once and in order when it is back', async (context) => {
  const server = await LogServer.start(context);
  const directory = temporaryFolder(context);
  const { begin, folder, messages } = await setup(context, { server, folder: directory });
  const output = await begin('t1');
  print(output, numbered(0, 50));
  await eventually('the first are there', () => server.streams.get(keyOf('t1'))?.lines.length === 50);
  server.goAway();
  print(output, numbered(50, 150));
  await eventually('they are spooled', () => (folder?.budget.used ?? 0) > 800);
  const [name = ''] = readdirSync(directory);
  assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
  print(output, numbered(150, 200));
  await server.listen();
  print(output, numbered(200, 250));
  finish(output);
  await closed(server, 't1');
  assert.equal(server.textOf(keyOf('t1')), numbered(0, 250));
  await eventually('the spool is empty', () => readdirSync(directory).length === 0 && folder?.budget.used === 0);
  assert.equal(messages.filter((line) => line.includes('trying again')).length, 1);
});

test('lines whose acknowledgement was lost are not written a second time', async (context) => {
  const server = await LogServer.start(context);
  const { begin } = await setup(context, { server });
  const output = await begin('t1');
  print(output, numbered(0, 10));
  await eventually('the first are there', () => server.streams.get(keyOf('t1'))?.lines.length === 10);
  server.trouble = 'lose';
  print(output, numbered(10, 20));
  await eventually(
    'they are taken, unknown to the delegate',
    () => server.streams.get(keyOf('t1'))?.lines.length === 20,
  );
  print(output, numbered(20, 30));
  finish(output);
  await closed(server, 't1');
  assert.equal(server.textOf(keyOf('t1')), numbered(0, 30));
});

test('an outage that comes again and again loses and doubles nothing', async (context) => {
  const server = await LogServer.start(context);
  const { begin } = await setup(context, { server });
  const output = await begin('t1');
  for (let round = 0; round < 12; round += 1) {
    print(output, numbered(round * 20, round * 20 + 10));
    server.trouble = (['lose', 'drop', 'fail'] as const)[round % 3] ?? null;
    print(output, numbered(round * 20 + 10, round * 20 + 20));
    await eventually('the service has seen it', () => server.trouble === null || server.requests.length % 7 === 3);
    server.trouble = null;
  }
  finish(output);
  await closed(server, 't1');
  assert.equal(server.textOf(keyOf('t1')), numbered(0, 240));
});

test('a service that hangs holds the task up by nothing: lines go to the spool and arrive later', async (context) => {
  const server = await LogServer.start(context);
  const { begin, folder } = await setup(context, { server });
  const output = await begin('t1');
  print(output, numbered(0, 10));
  await eventually('the first are there', () => server.streams.get(keyOf('t1'))?.lines.length === 10);
  const { promise, resolve: release } = Promise.withResolvers<void>();
  server.hold = promise;
  print(output, numbered(10, 2000));
  await eventually('the spool has them', () => (folder?.budget.used ?? 0) > 15_000);
  print(output, numbered(2000, 4000));
  release();
  finish(output);
  await closed(server, 't1');
  assert.equal(server.textOf(keyOf('t1')), numbered(0, 4000));
});

test('without room for a line, a mark stands in its place and says how many are missing', async (context) => {
  const server = await LogServer.start(context);
  const { begin } = await setup(context, { server, folder: null, memoryBytes: 2000 });
  server.goAway();
  const output = await begin('t1');
  print(output, numbered(0, 1000));
  await server.listen();
  await eventually('the first arrive', () => (server.streams.get(keyOf('t1'))?.lines.length ?? 0) > 50);
  finish(output);
  await closed(server, 't1');
  const lines = (server.textOf(keyOf('t1')) ?? '').split('\n').filter((line) => line !== '');
  const mark = lines.findIndex((line) => line.startsWith('...'));
  const dropped = Number(/^\.\.\. (\d+) lines dropped: the log service did not keep up$/.exec(lines[mark] ?? '')?.[1]);
  assert.deepEqual(lines.slice(0, mark), numbered(0, mark).trim().split('\n'));
  assert.equal(mark + dropped, 1000);
  assert.equal(server.blobs.get(keyOf('t1'))?.[mark]?.args?.['stream'], 'sallyport');
});

test('the spool never grows beyond its limit, over all tasks together', async (context) => {
  const server = await LogServer.start(context);
  const directory = temporaryFolder(context);
  const { begin, folder } = await setup(context, { server, folder: directory, spoolBytes: 3000, memoryBytes: 1500 });
  server.goAway();
  const outputs = [await begin('t1'), await begin('t2')];
  const full = () => {
    for (const output of outputs) print(output, numbered(0, 20));
    return (folder?.budget.used ?? 0) > 2500;
  };
  await eventually('it is full', full);
  for (const output of outputs) print(output, numbered(0, 400));
  const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  assert.ok(bytes < 3000 + 1000, String(bytes));
  await server.listen();
  for (const output of outputs) finish(output);
  for (const id of ['t1', 't2']) {
    await closed(server, id);
    assert.match(server.textOf(keyOf(id)) ?? '', /lines dropped/);
  }
});

/** As a pipe gives it: up to 32 chunks of 64 KiB in one turn of the event loop. */
async function burst(output: TaskOutput, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  for (let at = 0, chunks = 1; at < bytes.length; at += 65_536, chunks += 1) {
    output.stdout.write(bytes.subarray(at, at + 65_536));
    if (chunks % 32 === 0) await nextTurn();
  }
}

test('a burst of 100,000 lines loses none, whether the service is well, fails now and then, or comes back later', async (context) => {
  const all = Array.from({ length: 100_000 }, (_, n) => `${n} ${'x'.repeat(94)}\n`);
  const server = await LogServer.start(context);
  const { begin, folder, messages } = await setup(context, { server });
  for (const id of ['well', 'troubled', 'away']) {
    const text = all.slice(0, id === 'well' ? 100_000 : 15_000).join('');
    const output = await begin(id);
    print(output, 'first\n');
    await eventually('it is open', () => server.streams.get(keyOf(id))?.lines.length === 1);
    if (id === 'away') server.goAway();
    await burst(output, text);
    finish(output);
    if (id === 'troubled') {
      for (const trouble of ['lose', 'drop', 'fail', 'lose'] as const) {
        const before = server.requests.length;
        server.trouble = trouble;
        await eventually(
          'it has been in trouble',
          () => server.requests.length > before + 1 || server.blobs.has(keyOf(id)),
        );
        server.trouble = null;
      }
    }
    if (id === 'away') {
      await eventually('it is spooled', () => (folder?.budget.used ?? 0) > text.length);
      await server.listen();
    }
    await closed(server, id);
    assert.ok(server.textOf(keyOf(id)) === `first\n${text}`, id);
  }
  assert.ok(server.requests.length < 130, `lines go together: ${server.requests.length}`);
  assert.ok(!messages.join('').includes('spool cannot'));
  await eventually('nothing is left', () => folder?.budget.used === 0);
});

test('a burst of the shortest lines loses none', async (context) => {
  const server = await LogServer.start(context);
  const { begin } = await setup(context, { server });
  const output = await begin('t1');
  await burst(output, 'y\n'.repeat(60_000));
  finish(output);
  await closed(server, 't1');
  assert.ok(server.textOf(keyOf('t1')) === 'y\n'.repeat(60_000));
});

test('what all tasks together may hold in memory is bounded', async (context) => {
  const server = await LogServer.start(context);
  const { begin } = await setup(context, { server, folder: null, memoryBytes: 5000, totalMemoryBytes: 8000 });
  server.goAway();
  const outputs = [await begin('t1'), await begin('t2')];
  for (const output of outputs) print(output, numbered(0, 500));
  await server.listen();
  for (const output of outputs) finish(output);
  for (const id of ['t1', 't2']) await closed(server, id);
  const [one = 0, two = 0] = ['t1', 't2'].map((id) => server.textOf(keyOf(id))?.length);
  assert.ok(one + two < 8000 && two < one, `${one} ${two}`);
});

test('two tasks at once keep their lines apart', async (context) => {
  const server = await LogServer.start(context);
  const { begin } = await setup(context, { server });
  const [one, two] = [await begin('t1'), await begin('t2')];
  for (let n = 0; n < 100; n += 1) {
    print(one, `one ${n}\n`);
    print(two, `two ${n}\n`);
  }
  finish(one);
  finish(two);
  await closed(server, 't1');
  await closed(server, 't2');
  assert.ok(!/two/.test(server.textOf(keyOf('t1')) ?? '') && !/one/.test(server.textOf(keyOf('t2')) ?? ''));
});

test('a stream that the service closed for its silence goes on, with what was in it before', async (context) => {
  const server = await LogServer.start(context);
  const { begin } = await setup(context, { server });
  const output = await begin('t1');
  for (let round = 0; round < 3; round += 1) {
    print(output, numbered(round * 5, round * 5 + 5));
    const lines = (round + 1) * 5;
    await eventually('they are there', () => server.streams.get(keyOf('t1'))?.lines.length === lines);
    server.closeIdle();
  }
  print(output, numbered(15, 20));
  finish(output);
  await eventually('all is in the blob', () => server.textOf(keyOf('t1')) === numbered(0, 20));
});

test('a stream that the service has forgotten altogether is opened again and the lines go there', async (context) => {
  const server = await LogServer.start(context);
  const { begin } = await setup(context, { server });
  const output = await begin('t1');
  print(output, numbered(0, 5));
  await eventually('the first are there', () => server.streams.get(keyOf('t1'))?.lines.length === 5);
  server.streams.clear();
  print(output, numbered(5, 10));
  finish(output);
  await closed(server, 't1');
  assert.equal(server.textOf(keyOf('t1')), numbered(5, 10));
});

test('a refusal that no waiting changes ends the log of the task, not the task, and is told once', async (context) => {
  const server = await LogServer.start(context);
  const directory = temporaryFolder(context);
  const { begin, logs, messages } = await setup(context, { server, folder: directory });
  server.trouble = 'refuse';
  const output = await begin('t1');
  print(output, numbered(0, 10));
  await eventually('it gave up', () => logs.undelivered === 0 && readdirSync(directory).length === 0);
  assert.equal(print(output, 'more\n').toString(), 'more\n');
  finish(output);
  assert.equal(messages.filter((line) => line.includes('operation not permitted')).length, 1);
  assert.equal(server.requests.length, 1);
});

test('what a stopped delegate could not deliver, the next one does', async (context) => {
  const server = await LogServer.start(context);
  const directory = temporaryFolder(context);
  const first = await setup(context, { server, folder: directory });
  const [ended, running] = [await first.begin('t1'), await first.begin('t2')];
  print(ended, numbered(0, 10));
  await eventually('the first are there', () => server.streams.get(keyOf('t1'))?.lines.length === 10);
  server.goAway();
  print(ended, numbered(10, 20));
  print(running, numbered(0, 5));
  finish(ended);
  await first.logs.close();
  await server.listen();
  const second = await setup(context, { server, folder: directory });
  await second.logs.recover();
  await closed(server, 't1');
  await closed(server, 't2');
  assert.equal(server.textOf(keyOf('t1')), numbered(0, 20));
  assert.match(server.textOf(keyOf('t2')) ?? '', /^(line \d\n){5}\.\.\. the delegate ended here/);
  await eventually('the spool is empty', () => readdirSync(directory).length === 0);
});
