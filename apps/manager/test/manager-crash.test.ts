import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createTestDatabase, DevAgent, dropTestDatabase, KeptConnection, testPostgres } from '@sallyport/dev-env';
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
    let manager = await startProcess(environment);
    t.after(async () => {
      await kill(manager);
      rmSync(folder, { recursive: true, force: true });
    });
    const key = manager.firstOperatorKey ?? '';
    let api = await Api.open(manager.public, key);
    await api.must('POST', '/ng/api/accounts', { identifier: 'acme' });
    const tokens = await api.must('GET', '/ng/api/delegate-token-ng?accountIdentifier=acme');
    const token = normaliseDelegateToken(String(tokens[0]?.['value'])) ?? '';
    const delegate = async () => {
      const connection = await KeptConnection.open({ port: manager.public, serverName: 'localhost' });
      const agent = new DevAgent(connection, { accountId: 'acme', token, name: 'worker' });
      assert.equal((await agent.register()).status, 200);
      return agent;
    };
    let agent = await delegate();

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

    manager = await startProcess(environment);
    assert.equal(manager.firstOperatorKey, null, 'it found its data');
    api = await Api.open(manager.public, key);
    agent = await delegate();
    const read = (id: string) => api.must('GET', `/ng/api/tasks/${id}?accountIdentifier=acme`);
    for (const [index, id] of created.entries()) {
      const task = await read(id);
      assert.equal(Number(task['data']?.['index']), index, 'the task is there');
      if (done.includes(id)) {
        assert.equal(String(task['status']), 'SUCCEEDED');
        assert.equal(String(task['result']?.['result']), id, 'and so is its result');
      }
    }

    // A result that its delegate could not deliver to the dead manager is taken by the next one.
    const open = created.find((id) => !held.includes(id)) ?? (await createOne(api));
    assert.equal((await agent.acquire(open)).status, 200);
    await kill(manager);
    manager = await startProcess(environment);
    api = await Api.open(manager.public, key);
    const connection = await KeptConnection.open({ port: manager.public, serverName: 'localhost' });
    const late = agent.on(connection);
    assert.equal((await late.report(open, { code: 'OK', data: 'late' })).status, 200);
    assert.equal(String((await read(open))['result']), 'late');
    connection.close();
    api.close();
  });
}

async function createOne(api: Api): Promise<string> {
  return String((await api.must('POST', '/ng/api/tasks?accountIdentifier=acme', { type: 'ECHO', data: {} }))['id']);
}
