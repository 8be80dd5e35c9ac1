import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  createTestDatabase,
  type DevAccount,
  DevAgent,
  DevManager,
  eventually,
  KeptConnection,
  TestAuthority,
  testPostgres,
} from '@sallyport/dev-env';

const postgresUrl = testPostgres();

interface Rig {
  readonly dev: DevManager;
  readonly acme: DevAccount;
  agent(name: string): Promise<DevAgent>;
}

async function rig(t: TestContext, environment: Record<string, string> = {}): Promise<Rig> {
  const dev = await DevManager.start({ environment });
  t.after(() => dev.stop());
  const acme = await dev.account('acme');
  return {
    dev,
    acme,
    async agent(name) {
      const connection = await KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
      t.after(() => connection.socket.destroy());
      return new DevAgent(connection, { accountId: acme.id, token: acme.token, name });
    },
  };
}

const TASKS = '/ng/api/tasks?accountIdentifier=acme';
const shell = { type: 'SHELL_SCRIPT', data: { script: 'sleep 300' } };

test('a delegate that restarts before it counts as lost fails the tasks of its earlier process', async (t) => {
  const { dev, agent } = await rig(t);
  const first = await agent('edge');
  await first.register();
  const { id } = await dev.must('POST', TASKS, shell);
  assert.equal((await first.acquire(String(id))).status, 200);
  const stream = await first.stream();
  stream.socket.terminate();
  const listed = () => dev.must('POST', '/ng/api/delegate-setup/listDelegates?accountIdentifier=acme', {});
  await eventually('the delegate is gone', async () => String((await listed())[0]?.['connected']) === 'false');

  const second = await agent('edge');
  await second.register();
  assert.equal(second.id, first.id);
  const task = await dev.must('GET', `/ng/api/tasks/${String(id)}?accountIdentifier=acme`);
  assert.equal(task['status'], 'FAILED');
  assert.equal(task['error'], "its delegate 'edge' restarted");
});

test('a delegate that reconnects with its id keeps its tasks', async (t) => {
  const { dev, agent } = await rig(t);
  const first = await agent('edge');
  await first.register();
  const { id } = await dev.must('POST', TASKS, shell);
  assert.equal((await first.acquire(String(id))).status, 200);
  (await first.stream()).socket.terminate();
  const again = await agent('edge');
  await again.register({ delegateId: first.id });
  assert.equal((await dev.must('GET', `/ng/api/tasks/${String(id)}?accountIdentifier=acme`))['status'], 'RUNNING');
});

test('a list of tasks holds neither what they were given nor what they gave', async (t) => {
  const { dev, acme, agent } = await rig(t);
  const edge = await agent('edge');
  await edge.register();
  const { id } = await dev.must('POST', TASKS, shell);
  await edge.acquire(String(id));
  await edge.report(String(id), { code: 'OK', data: { output: 'x'.repeat(100_000) } });
  const listed = await dev.api('GET', TASKS, undefined, acme.viewerKey);
  assert.equal(listed.status, 200);
  assert.ok(JSON.stringify(listed.body).length < 2_000);
  assert.equal(listed.body['resource']?.[0]?.['status'], 'SUCCEEDED');
  const whole = await dev.must('GET', `/ng/api/tasks/${String(id)}?accountIdentifier=acme`);
  assert.equal(String(whole['result']?.['output']).length, 100_000);
});

test('U+0000 is the mistake of the request, also where the database cannot store it, and loses no report', async (t) => {
  const { dev, agent } = await rig(t, {
    SALLYPORT_DATABASE_URL: await createTestDatabase(await postgresUrl()),
    SALLYPORT_MASTER_KEY: 'ab'.repeat(32),
  });
  const edge = await agent('edge');
  assert.equal((await edge.register({ delegateName: 'a\0b' })).status, 400);
  await edge.register();
  assert.equal((await dev.api('GET', '/ng/api/tasks/a%00b?accountIdentifier=acme')).status, 400);
  const { id } = await dev.must('POST', TASKS, shell);
  await edge.acquire(String(id));
  assert.equal((await edge.report(String(id), { code: 'FAILED', error: 'broke\0n' })).status, 200);
  const task = await dev.must('GET', `/ng/api/tasks/${String(id)}?accountIdentifier=acme`);
  assert.equal(task['error'], 'broke\uFFFDn');
});

test('a plain poller of an account that turns STRICT is off the list at once', async (t) => {
  const { dev, agent } = await rig(t);
  const authority = await TestAuthority.create('Acme CA');
  await dev.must('PATCH', '/ng/api/accounts/acme', { mtlsEnabled: true });
  await dev.must('POST', '/ng/api/agent/mtls/endpoint?accountIdentifier=acme', {
    domainPrefix: 'acme',
    caCertificates: authority.certificatePem,
    mode: 'LOOSE',
  });
  await (await agent('edge')).register();
  const connected = async () => {
    const [listed] = (await dev.must(
      'POST',
      '/ng/api/delegate-setup/listDelegates?accountIdentifier=acme',
      {},
    )) as unknown as { connected: boolean }[];
    return listed?.connected;
  };
  assert.equal(await connected(), true);
  await dev.setMode('acme', 'STRICT');
  assert.equal(await connected(), false);
});
