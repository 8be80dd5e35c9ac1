import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  createTestDatabase,
  DevAgent,
  DevManager,
  dropTestDatabase,
  KeptConnection,
  testPostgres,
} from '@sallyport/dev-env';
import { normaliseDelegateToken } from '@sallyport/protocol';
import { Api, kill, startProcess } from './killable-manager.ts';

// kill -9 of the manager: what it has acknowledged is there when it comes back.

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
  test(`kill -9 in the middle of work loses no acknowledged task and no acknowledged result (${store})`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-crash-'));
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
    const key = manager.firstOperatorKey ?? '';
    const api = await Api.open(manager.public, key);
    await api.must('POST', '/ng/api/accounts', { identifier: 'acme' });
    const tokens = await api.must('GET', '/ng/api/delegate-token-ng?accountIdentifier=acme');
    const token = normaliseDelegateToken(String(tokens[0]?.['value'])) ?? '';
    const connectionTo = (port: number) => KeptConnection.open({ port, serverName: 'localhost' });
    const agent = new DevAgent(await connectionTo(manager.public), { accountId: 'acme', token, name: 'worker' });
    assert.equal((await agent.register()).status, 200);

    // Tasks are created and done until the moment it dies; what was acknowledged by then is remembered.
    const created: string[] = [];
    const done: string[] = [];
    const held: string[] = [];
    const creating = (async () => {
      for (let index = 0; ; index += 1) {
        const task = { type: 'ECHO', data: { index } };
        created.push(String((await api.must('POST', '/ng/api/tasks?accountIdentifier=acme', task))['id']));
      }
    })();
    const working = (async () => {
      for (let index = 0; ; index += 1) {
        const id = created[index];
        if (id === undefined) {
          index -= 1;
          await agent.heartbeat();
          continue;
        }
        if ((await agent.acquire(id)).status !== 200) continue;
        held.push(id);
        if (index % 3 === 0) continue;
        if ((await agent.report(id, { code: 'OK', data: { result: id } })).status === 200) done.push(id);
        if (done.length === 12) await kill(manager);
      }
    })();
    await Promise.all([assert.rejects(creating), assert.rejects(working)]);
    assert.ok(created.length >= 12 && done.length === 12 && held.length > done.length);

    const restarted = await DevManager.start({ dataDirectory: folder, environment });
    next = restarted;
    assert.equal(restarted.manager.firstOperatorKey, null, 'it found its data');
    restarted.operatorKey = key;
    const tasks = '/ng/api/tasks';
    const read = (id: string) => restarted.must('GET', `${tasks}/${id}?accountIdentifier=acme`);
    for (const [index, id] of created.entries()) {
      const task = await read(id);
      assert.equal(Number(task['data']?.['index']), index, 'the task is there');
      if (done.includes(id)) {
        assert.equal(String(task['status']), 'SUCCEEDED');
        assert.equal(String(task['result']?.['result']), id, 'and so is its result');
      }
    }

    // A result that its delegate could not deliver to the dead manager is taken by the next one, and so is new work.
    const connection = await connectionTo(restarted.manager.publicAddress.port);
    t.after(() => connection.close());
    const back = agent.on(connection);
    const owed = held[0] ?? '';
    assert.ok(!done.includes(owed));
    assert.equal((await back.report(owed, { code: 'OK', data: 'late' })).status, 200);
    assert.equal(String((await read(owed))['result']), 'late');
    assert.equal((await back.register()).status, 200);
    const open =
      created.find((id) => !held.includes(id)) ??
      String((await restarted.must('POST', `${tasks}?accountIdentifier=acme`, { type: 'ECHO', data: {} }))['id']);
    assert.equal((await back.acquire(open)).status, 200);
  });
}
