import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { type DevAccount, DevAgent, type DevBody, DevManager, KeptConnection } from '@sallyport/dev-env';
import { onBothManagers } from './both-managers.ts';

const onBoth = onBothManagers();
const SECRET = 'hunter2-deploy-key';
let accounts = 0;

interface Rig {
  readonly account: DevAccount;
  create(body: object): ReturnType<DevManager['api']>;
  task(id: DevBody | undefined): Promise<DevBody>;
  agent(name?: string): Promise<DevAgent>;
}

async function rig(t: TestContext, dev: DevManager): Promise<Rig> {
  accounts += 1;
  const account = await dev.account(`secrets${accounts}`);
  const path = '/ng/api/tasks';
  const query = `accountIdentifier=${account.id}`;
  return {
    account,
    create: (body) => dev.api('POST', `${path}?${query}`, body, account.adminKey),
    task: (id) => dev.must('GET', `${path}/${String(id)}?${query}`, undefined, account.adminKey),
    async agent(name = 'edge') {
      const connection = await KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
      t.after(() => connection.close());
      const agent = new DevAgent(connection, { accountId: account.id, token: account.token, name });
      await agent.register();
      return agent;
    },
  };
}

const shell = { type: 'SHELL_SCRIPT', data: { script: 'deploy' }, secrets: { DEPLOY_KEY: SECRET, OTHER: 'four' } };

onBoth(
  "a task's secrets reach the delegate that has it, again when its answer was lost, and nobody else",
  async (t, dev) => {
    const { create, agent } = await rig(t, dev);
    const created = await create(shell);
    assert.equal(created.status, 200);
    const id = String(created.body['resource']?.['id']);
    const [first, second] = [await agent('one'), await agent('two')];
    for (let n = 0; n < 2; n += 1) {
      assert.deepEqual((await first.acquire(id)).body['secrets'], { DEPLOY_KEY: SECRET, OTHER: 'four' });
    }
    const late = await second.acquire(id);
    assert.equal(late.status, 409);
    assert.ok(!JSON.stringify(late.body).includes(SECRET));
  },
);

onBoth(
  'a secret shows in no answer about the task, in no log, and not in the clear in the database',
  async (t, dev) => {
    const { create, agent, task, account } = await rig(t, dev);
    const created = await create(shell);
    const { id } = created.body['resource'] ?? {};
    const listed = await dev.must('GET', `/ng/api/tasks?accountIdentifier=${account.id}`, undefined, account.adminKey);
    for (const answer of [created.body, listed, await task(id)]) assert.ok(!JSON.stringify(answer).includes('hunter2'));
    await (await agent()).acquire(String(id));
    const audit = await dev.must('GET', `/ng/api/audit?accountIdentifier=${account.id}`, undefined, account.adminKey);
    assert.ok(!JSON.stringify([await task(id), audit]).includes('hunter2'));
    assert.ok(!dev.log().includes('hunter2'));
    for (const file of ['sallyport.db', 'sallyport.db-wal']) {
      const bytes = readOrEmpty(join(dev.dataDirectory, file));
      assert.ok(!bytes.includes('hunter2'), file);
    }
  },
);

onBoth('when the task has ended, whichever way, its secrets are gone', async (t, dev) => {
  const { create, agent, account } = await rig(t, dev);
  const delegate = await agent();
  const [reported, aborted] = [await create(shell), await create(shell)].map(({ body }) =>
    String(body['resource']?.['id']),
  );
  await delegate.acquire(reported ?? '');
  await delegate.report(reported ?? '', { code: 'OK', data: null });
  await dev.must('POST', `/ng/api/tasks/${aborted}/abort?accountIdentifier=${account.id}`, undefined, account.adminKey);
  for (const id of [reported, aborted]) {
    const answer = await delegate.acquire(id ?? '');
    assert.equal(answer.status, 409);
  }
});

onBoth(
  'secrets that could not be masked, or would not be given, are refused without repeating them',
  async (t, dev) => {
    const { create } = await rig(t, dev);
    const { data } = shell;
    const cases: ReadonlyArray<readonly [body: object, message: RegExp]> = [
      [{ type: 'SHELL_SCRIPT', data, secrets: { PIN: ' 123 ' } }, /'PIN' has fewer than 4 characters/],
      [{ type: 'SHELL_SCRIPT', data, secrets: { PIN: '123' } }, /'PIN' has fewer than 4/],
      [{ type: 'SHELL_SCRIPT', data, secrets: { 'NO SPACE': SECRET } }, /'NO SPACE' cannot be the name/],
      [{ type: 'SHELL_SCRIPT', data, secrets: { NUL: `${SECRET}\0` } }, /'NUL' holds a NUL/],
      [
        { type: 'SHELL_SCRIPT', data, secrets: { LONG: 'hunter2'.repeat(10_000) } },
        /70000 bytes together, more than 65536/,
      ],
      [
        { type: 'SHELL_SCRIPT', data: { ...data, environment: { A: 'x' } }, secrets: { A: SECRET } },
        /'A' is given as a secret and as a variable/,
      ],
      [
        { type: 'HTTP_REQUEST', data: { url: 'https://example.com' }, secrets: { A: SECRET } },
        /HTTP_REQUEST has no process/,
      ],
    ];
    for (const [body, message] of cases) {
      const answer = await create(body);
      assert.equal(answer.status, 400, JSON.stringify(answer.body));
      assert.match(JSON.stringify(answer.body), message);
      assert.ok(!JSON.stringify(answer.body).includes('hunter2'));
    }
  },
);

test('of the secrets of a task that has ended, the database keeps nothing', async (t) => {
  const dev = await DevManager.start();
  t.after(() => dev.stop());
  const { create, agent } = await rig(t, dev);
  const created = await create(shell);
  const id = String(created.body['resource']?.['id']);
  const delegate = await agent();
  await delegate.acquire(id);
  const database = new DatabaseSync(join(dev.dataDirectory, 'sallyport.db'), { readOnly: true });
  t.after(() => database.close());
  const kept = () => database.prepare('select * from task_secrets').all().length;
  assert.equal(kept(), 1);
  await delegate.report(id, { code: 'OK', data: null });
  assert.equal(kept(), 0);
});

function readOrEmpty(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}
