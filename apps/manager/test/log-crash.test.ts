import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  createTestDatabase,
  DevManager,
  dropTestDatabase,
  eventually,
  KeptConnection,
  testPostgres,
} from '@sallyport/dev-env';
import { kill, startProcess } from './killable-manager.ts';
import { LogClient } from './log-rig.ts';

// kill -9 of the manager: acknowledged lines are there when it comes back, and closed logs become blobs.

const databases: string[] = [];
after(async () => {
  for (const url of databases) await dropTestDatabase(url);
});
const postgresUrl = testPostgres();

const STORES = {
  SQLite: async () => ({}),
  PostgreSQL: async () => {
    const url = await createTestDatabase(await postgresUrl());
    databases.push(url);
    return { SALLYPORT_DATABASE_URL: url, SALLYPORT_MASTER_KEY: randomBytes(32).toString('hex') };
  },
} as const;

for (const [store, settings] of Object.entries(STORES)) {
  test(`kill -9 loses no acknowledged line, doubles none, and no closed log is left without its blob (${store})`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-log-crash-'));
    const environment = {
      SALLYPORT_DATA_DIR: folder,
      SALLYPORT_PUBLIC_LISTEN: '127.0.0.1:0',
      SALLYPORT_MTLS_LISTEN: '127.0.0.1:0',
      ...(await settings()),
    };
    const manager = await startProcess(environment);
    let next: DevManager | null = null;
    t.after(async () => {
      await kill(manager);
      await next?.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const operatorKey = manager.firstOperatorKey ?? '';
    const connect = () =>
      KeptConnection.open({ port: next?.manager.publicAddress.port ?? manager.public, serverName: 'localhost' });
    const api = await connect();
    const headers = { 'x-api-key': operatorKey };
    assert.equal(
      (await api.request('POST', '/ng/api/accounts', { headers, body: { identifier: 'acme' } })).status,
      200,
    );
    const token = String((await api.request('GET', '/log-service/token?accountID=acme', { headers })).body);
    const client = async () => new LogClient(await connect(), 'acme', { 'x-harness-token': token });

    // Four writers, two to a stream, and one that opens, writes and closes, until the moment it dies.
    const acknowledged = new Map<string, string[]>();
    const closed: string[] = [];
    const opener = await client();
    for (const key of ['run:1', 'run:2']) {
      assert.equal((await opener.open(key)).status, 204);
      acknowledged.set(key, []);
    }
    let total = 0;
    const writers = [0, 1, 2, 3].map(async (who) => {
      const writer = await client();
      const key = `run:${1 + (who % 2)}`;
      for (let count = 0; ; count += 1) {
        const texts = [`${who} ${count} a\n`, `${who} ${count} b\n`];
        if ((await writer.write(key, ...texts)).status !== 204) throw new Error('not written');
        acknowledged.get(key)?.push(...texts);
        total += 1;
        if (total === 120) await kill(manager);
      }
    });
    const closing = (async () => {
      const writer = await client();
      for (let count = 0; ; count += 1) {
        const key = `short:${count}`;
        await writer.open(key);
        await writer.write(key, `${key}\n`);
        if ((await writer.close(key)).status !== 204) throw new Error('not closed');
        closed.push(key);
      }
    })();
    const works: readonly Promise<void>[] = [...writers, closing];
    await Promise.all(works.map(async (work) => assert.rejects(work)));
    assert.ok(total >= 120 && closed.length > 0);

    next = await DevManager.start({ dataDirectory: folder, environment });
    const after = await client();
    for (const [key, lines] of acknowledged) {
      const writer = await client();
      assert.equal((await writer.write(key, 'after\n')).status, 204, 'the stream is still open');
      const tail = await (await client()).tail(key);
      await tail.until(({ outs }) => outs.at(-1) === 'after\n');
      assert.deepEqual(
        tail.lines.map(([id]) => id),
        tail.lines.map((_, index) => index + 1),
      );
      const stored = tail.outs.slice(0, -1);
      assert.equal(new Set(stored).size, stored.length, 'none is doubled');
      for (const line of lines) assert.ok(stored.includes(line), line);
      // What was not acknowledged may be there or not, but never in part and never out of order.
      for (const who of [0, 1, 2, 3]) {
        const mine = stored.filter((line) => line.startsWith(`${who} `));
        assert.deepEqual(
          mine,
          mine.map((_, index) => `${who} ${index >> 1} ${index % 2 === 0 ? 'a' : 'b'}\n`),
        );
      }
      assert.equal((await writer.close(key, '&snapshot=true')).status, 204);
      assert.equal((await after.blob(key)).text.split('\n').length - 1, stored.length + 1);
    }
    for (const key of closed) {
      const { status, text } = await after.blob(key);
      assert.equal(status, 200, key);
      assert.equal((JSON.parse(text) as { out: string }).out, `${key}\n`);
    }
    if (store === 'SQLite') {
      await eventually('every closed log is an object', () => {
        const files = readdirSync(join(folder, 'log-blobs'), { recursive: true, encoding: 'utf8' });
        return files.filter((file) => file.endsWith('.gz')).length >= closed.length + 2;
      });
    }
  });
}
