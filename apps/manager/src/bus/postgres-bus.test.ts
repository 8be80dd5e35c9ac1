import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, before, type TestContext, test } from 'node:test';
import { createTestDatabase, dropTestDatabase, eventually, testPostgres } from '@sallyport/dev-env';
import pg from 'pg';
import { pino } from 'pino';
import { type Database, openDatabase } from '../database/open-database.ts';
import type { Bus, BusEvent } from './bus.ts';
import { PostgresBus } from './postgres-bus.ts';

const logger = pino({ level: 'silent' });
const ACME: BusEvent = { type: 'trust-changed', accountId: 'acme' };

let url: string;
let database: Database;
after(async () => {
  await database.close();
  await dropTestDatabase(url);
});
const postgresUrl = testPostgres();
before(async () => {
  url = await createTestDatabase(await postgresUrl());
  database = await openDatabase({ url });
});

function addAccount(id: string): Parameters<Bus['commit']>[1] {
  return (transaction) =>
    transaction.insertInto('accounts').values({ id, name: id, mtls_enabled: 0, created_at: 1 }).execute();
}

const QUICK = { probeEveryMs: 50, reconnectAfterMs: 10 };

async function openBus(t: TestContext, where = url, timings = QUICK): Promise<{ bus: PostgresBus; heard: string[] }> {
  const bus = await PostgresBus.open(database.database, where, randomUUID(), logger, timings);
  t.after(() => bus.close());
  const heard: string[] = [];
  for (const type of ['trust-changed', 'tokens-changed', 'resync'] as const) {
    bus.subscribe(type, (event) => void heard.push('accountId' in event ? `${type} ${event.accountId}` : type));
  }
  return { bus, heard };
}

test('everybody hears of a change once, its own replica when the promise resolves', async (t) => {
  const [one, two, three] = [await openBus(t), await openBus(t), await openBus(t)];
  await one.bus.commit(ACME, async () => undefined);
  assert.deepEqual(one.heard, ['trust-changed acme']);
  await two.bus.commit({ type: 'tokens-changed', accountId: 'beta' }, async () => undefined);
  const all = ['trust-changed acme', 'tokens-changed beta'];
  for (const { heard } of [one, two, three]) {
    await eventually('it is heard', () => heard.length >= 2);
    assert.deepEqual(heard, all);
  }
});

test('whoever hears of a change reads it; what was rolled back nobody hears of', async (t) => {
  const one = await openBus(t);
  const { bus: two, heard } = await openBus(t);
  const read: (string | undefined)[] = [];
  two.subscribe('trust-changed', async ({ accountId }) => {
    const rows = database.database.selectFrom('accounts').select('name').where('id', '=', accountId);
    read.push((await rows.executeTakeFirst())?.name);
  });
  const ids = Array.from({ length: 10 }, (_, index) => `account-${index}`);
  for (const id of ids) {
    await one.bus.commit({ type: 'trust-changed', accountId: id }, addAccount(id));
    const undone = one.bus.commit({ type: 'trust-changed', accountId: `${id}-undone` }, async () => {
      throw new Error('no');
    });
    await assert.rejects(undone, /^Error: no$/);
  }
  await eventually('all are heard', () => read.length >= ids.length);
  assert.deepEqual(read.sort(), ids);
  assert.deepEqual(
    heard,
    ids.map((id) => `trust-changed ${id}`),
  );
});

test('an announcement of a form that it does not know is left alone', async (t) => {
  const { bus, heard } = await openBus(t);
  const stranger = new pg.Client({ connectionString: url });
  await stranger.connect();
  for (const payload of [
    '',
    'x',
    'null',
    '[]',
    '{}',
    '{"from":"a"}',
    '{"from":"a","event":null}',
    '{"from":"a","event":{"type":"of the future"}}',
  ]) {
    await stranger.query('SELECT pg_notify($1, $2)', ['sallyport', payload]);
  }
  await stranger.query('SELECT pg_notify($1, $2)', ['sallyport', JSON.stringify({ from: 'a', event: ACME })]);
  await stranger.end();
  await eventually('the one that it knows is heard', () => heard.length > 0);
  assert.deepEqual(heard, ['trust-changed acme']);
  assert.equal(bus.inStep, true);
});

test('a listening connection that is ended is noticed at once, opened anew, and what was missed is made up for', async (t) => {
  const { bus, heard } = await openBus(t);
  assert.equal(bus.inStep, true);
  for (let time = 1; time <= 3; time += 1) {
    heard.length = 0;
    await terminateListeners();
    await eventually('it knows that it is deaf, and says so', () => heard[0] === 'resync', 1_000);
    await eventually('it hears again, and says so', () => bus.inStep && heard.length >= 2);
    assert.deepEqual(heard, ['resync', 'resync']);
  }
  const other = await openBus(t);
  heard.length = 0;
  await other.bus.commit(ACME, async () => undefined);
  // On a slow machine one more loss may be noticed late.
  const told = () => heard.filter((event) => event !== 'resync');
  await eventually('it hears', () => told().length > 0);
  assert.deepEqual(told(), ['trust-changed acme']);
});

test('a connection lost while what was missed is made up for is opened anew, too', async (t) => {
  const { bus } = await openBus(t);
  let terminations = 0;
  bus.subscribe('resync', async () => {
    // In the middle of the work that a resync causes, the new connection is ended as well.
    if (bus.inStep && terminations < 3) {
      terminations += 1;
      await terminateListeners();
      await eventually('the loss is noticed', () => !bus.inStep);
    }
  });
  await terminateListeners();
  await eventually('three more losses are survived', () => terminations === 3 && bus.inStep);
});

test('a connection that is open and dead is noticed by asking', async (t) => {
  const line = await deadableLine(t, url);
  const { bus, heard } = await openBus(t, line.url);
  line.dead = true;
  await eventually('silence is taken for loss', () => !bus.inStep && heard.includes('resync'), 2_000);
  line.dead = false;
  await eventually('it is opened anew', () => bus.inStep, 10_000);
});

test('it refuses to start deaf, and closes while it is away', async (t) => {
  const line = await deadableLine(t, url);
  const { bus } = await openBus(t, line.url);
  line.close();
  await eventually('it is deaf', () => !bus.inStep);
  await assert.rejects(PostgresBus.open(database.database, line.url, 'x', logger), /ECONNREFUSED/);
  const started = performance.now();
  await bus.close();
  assert.ok(performance.now() - started < 1_000);
});

/** Ends the connections that listen; the pool's are named. */
async function terminateListeners(): Promise<void> {
  const admin = new pg.Client({ connectionString: url, application_name: 'admin' });
  await admin.connect();
  await admin.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ''`,
  );
  await admin.end();
}

interface DeadableLine {
  readonly url: string;
  /** True: bytes are taken and go nowhere, as when a machine in between lost its power. */
  dead: boolean;
  close(): void;
}

async function deadableLine(t: TestContext, target: string): Promise<DeadableLine> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(new URL(target).port), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (data) => {
        if (!line.dead) to.write(data);
      });
      from.on('error', () => from.destroy());
      from.on('close', () => {
        if (!line.dead) to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const through = new URL(target);
  through.port = String((server.address() as AddressInfo).port);
  const line: DeadableLine = {
    url: through.href,
    dead: false,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  t.after(() => line.close());
  return line;
}
