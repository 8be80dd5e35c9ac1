import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { type DevAccount, DevManager, eventually, TestAuthority } from '@sallyport/dev-env';
import { Relay } from '../test/relay.ts';
import { startStrippingProxy } from '../test/stripping-proxy.ts';
import { readDelegateConfig } from './config/delegate-config.ts';
import { EXIT } from './config/exit-codes.ts';
import { DEFAULT_TIMINGS, type Timings } from './config/timings.ts';
import { type RunningDelegate, startDelegate } from './delegate.ts';
import { createLogger } from './logger.ts';

const FAST: Partial<Timings> = {
  reconnectBaseMs: 50,
  reconnectMaxMs: 100,
  reportBaseMs: 20,
  reportMaxMs: 50,
  pollPauseMs: 20,
  killGraceMs: 100,
};

const directory = mkdtempSync(join(tmpdir(), 'sallyport-delegate-test-'));
let manager: DevManager;
let authority: TestAuthority;
let accounts = 0;

before(async () => {
  manager = await DevManager.start();
  authority = await TestAuthority.create('Test Customer CA');
});
after(async () => {
  await manager.stop();
  rmSync(directory, { recursive: true, force: true });
});

function account(mode: 'LOOSE' | 'STRICT' = 'LOOSE'): Promise<DevAccount> {
  accounts += 1;
  return manager.account(`acc${accounts}`, { caCertificates: authority.certificatePem, mode });
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

interface Setup {
  readonly delegate: RunningDelegate;
  readonly lines: string[];
  health(): Promise<HealthBody>;
}

interface HealthBody {
  readonly connection: { readonly state: string; readonly channel: string | null; readonly transport: string };
  readonly lastTrouble: { readonly code: string; readonly message: string; readonly remedy: string } | null;
  readonly certificate: { readonly subject: string; readonly problem: string | null } | null;
}

async function start(
  context: TestContext,
  { id, token }: DevAccount,
  environment: Record<string, string> = {},
  timings: Partial<Timings> = {},
): Promise<Setup> {
  const config = readDelegateConfig({
    ACCOUNT_ID: id,
    DELEGATE_TOKEN: token,
    DELEGATE_NAME: `${id}-delegate`,
    DELEGATE_TAGS: 'linux',
    MANAGER_HOST_AND_PORT: manager.publicUrl,
    SALLYPORT_EXTRA_CA_FILE: file(`${id}-server-ca.pem`, manager.serverCa),
    DELEGATE_HEALTH_PORT: '0',
    // A test that fails must not wait ten minutes for results that nobody will take.
    DELEGATE_GRACE_PERIOD_SECONDS: '20',
    DELEGATE_LOG_SPOOL_DIRECTORY: join(directory, `${id}-spool`),
    PATH: '/usr/bin:/bin',
    ...environment,
  });
  const lines: string[] = [];
  const output = { write: (line: string) => lines.push(line) > 0 } as unknown as NodeJS.WritableStream;
  const delegate = await startDelegate(
    { ...config, timings: { ...DEFAULT_TIMINGS, ...FAST, ...timings } },
    createLogger('debug', output),
  );
  context.after(() => delegate.close());
  const health = async () => (await fetch(`http://127.0.0.1:${delegate.healthPort}/api/health`)).json();
  return { delegate, lines, health: health as Setup['health'] };
}

const connected = ({ health }: Setup, channel = 'push', withinMs?: number) =>
  eventually(`connected by ${channel}`, async () => (await health()).connection.channel === channel, withinMs);

function createTask(acc: DevAccount, script: string, selectors: string[] = []) {
  const body = { type: 'SHELL_SCRIPT', data: { script }, selectors };
  return manager.must('POST', `/ng/api/tasks?accountIdentifier=${acc.id}`, body, acc.adminKey);
}

const taskOf = (acc: DevAccount, id: unknown, wait = '') =>
  manager.must('GET', `/ng/api/tasks/${id}?accountIdentifier=${acc.id}${wait}`, undefined, acc.adminKey);
const finished = (acc: DevAccount, id: unknown) => taskOf(acc, id, '&waitSeconds=20');

const isRunning = (acc: DevAccount, id: unknown) =>
  eventually('the task runs', async () => String((await taskOf(acc, id))['status']) === 'RUNNING');

async function replicaOf(acc: DevAccount) {
  const path = `/ng/api/delegate-setup/listDelegates?accountIdentifier=${acc.id}`;
  const listed = await manager.must('POST', path, { filterType: 'Delegate' }, acc.adminKey);
  return { delegate: listed[0], replica: listed[0]?.['delegateReplicas']?.[0] };
}

function mtlsEnvironment(acc: DevAccount, pair: { certificatePem: string; privateKeyPem: string }) {
  return {
    MANAGER_HOST_AND_PORT: manager.mtlsUrl(acc.id),
    DELEGATE_CLIENT_CERTIFICATE_PATH: file(`${acc.id}.crt`, pair.certificatePem),
    DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: file(`${acc.id}.key`, pair.privateKeyPem),
  };
}

test('a delegate with mTLS registers, takes a task from the push stream and reports it', async (context) => {
  const acc = await account('STRICT');
  const setup = await start(context, acc, mtlsEnvironment(acc, await authority.client('edge-1')));
  await connected(setup);
  const task = await createTask(acc, 'echo "hello from $DELEGATE_NAME"', ['linux']);
  const done = await finished(acc, task['id']);
  assert.equal(done['status'], 'SUCCEEDED');
  assert.equal(done['result']?.['stdout'], `hello from ${acc.id}-delegate\n`);
  const { replica } = await replicaOf(acc);
  assert.equal(replica?.['transport'], 'MTLS');
  assert.match(String(replica?.['certificate']?.['subject']), /edge-1/);
  const { connection, certificate } = await setup.health();
  assert.equal(connection.transport, 'MTLS');
  assert.match(certificate?.subject ?? '', /edge-1/);
  assert.ok(!setup.lines.join('').includes(acc.token));
});

test('an abort ends the script on the delegate', async (context) => {
  const acc = await account();
  const setup = await start(context, acc);
  await connected(setup);
  const task = await createTask(acc, 'sleep 60');
  await isRunning(acc, task['id']);
  await manager.must('POST', `/ng/api/tasks/${task['id']}/abort?accountIdentifier=${acc.id}`, undefined, acc.adminKey);
  await eventually('the aborted result is taken', () =>
    setup.lines.some((line) => line.includes('the manager took the result')),
  );
  assert.equal((await taskOf(acc, task['id']))['status'], 'ABORTED');
});

test('a delegate that polls takes tasks and hears of aborts', async (context) => {
  const acc = await account();
  const setup = await start(context, acc, { POLL_FOR_TASKS: 'true', DELEGATE_TASK_CONCURRENCY: '1' });
  await connected(setup, 'poll');
  const long = await createTask(acc, 'sleep 60');
  await isRunning(acc, long['id']);
  const next = await createTask(acc, 'echo next');
  await manager.must('POST', `/ng/api/tasks/${long['id']}/abort?accountIdentifier=${acc.id}`, undefined, acc.adminKey);
  assert.equal((await finished(acc, next['id']))['status'], 'SUCCEEDED');
});

test('behind a proxy that passes no upgrades the delegate falls back to long poll and tries push again later', async (context) => {
  const acc = await account();
  const proxy = await startStrippingProxy(directory, manager.publicUrl, manager.serverCa);
  context.after(() => proxy.close());
  const environment = {
    MANAGER_HOST_AND_PORT: proxy.url,
    SALLYPORT_EXTRA_CA_FILE: file('proxy-ca.pem', proxy.certificate),
  };
  const setup = await start(context, acc, environment, { pushRetryMs: 300, pollWaitSeconds: 1 });
  await connected(setup, 'poll');
  const task = await createTask(acc, 'echo polled');
  assert.equal((await finished(acc, task['id']))['status'], 'SUCCEEDED');
  await eventually('push is tried again', () => proxy.upgrades() > 2);
  const told = setup.lines.filter((line) => line.includes('falling back to long poll'));
  assert.match(told[0] ?? '', /did not switch to a WebSocket \(400\)/);
  await connected(setup, 'poll');
});

test('a stream that fails once while polling works costs no minutes of polling', async (context) => {
  const acc = await account();
  const proxy = await startStrippingProxy(directory, manager.publicUrl, manager.serverCa, 1);
  context.after(() => proxy.close());
  const environment = {
    MANAGER_HOST_AND_PORT: proxy.url,
    SALLYPORT_EXTRA_CA_FILE: file('once-ca.pem', proxy.certificate),
  };
  const setup = await start(context, acc, environment, { pushRetryMs: 600_000 });
  await connected(setup, 'push');
  assert.equal(proxy.upgrades(), 2);
});

test('a cut connection is made again, and a manager that was away gets the result of what ran meanwhile', async (context) => {
  const acc = await account();
  const { port } = new URL(manager.publicUrl);
  const relay = await Relay.start(Number(port));
  context.after(() => relay.close());
  const setup = await start(context, acc, { MANAGER_HOST_AND_PORT: `https://localhost:${relay.port}` });
  await connected(setup);
  relay.cut();
  await eventually('the loss is noticed', () =>
    setup.lines.some((line) => line.includes('no connection to the manager')),
  );
  await connected(setup);
  const flag = join(directory, 'go');
  const task = await createTask(acc, `while [ ! -e ${flag} ]; do sleep 0.02; done; echo survived`);
  await isRunning(acc, task['id']);
  relay.upstreamPort = null;
  relay.cut();
  writeFileSync(flag, '');
  await eventually('the result waits', () =>
    setup.lines.some((line) => line.includes('the result could not be reported')),
  );
  relay.upstreamPort = Number(port);
  const done = await finished(acc, task['id']);
  assert.deepEqual([done['status'], done['result']?.['stdout']], ['SUCCEEDED', 'survived\n']);
});

test('a manager that restarts takes the result of a task that ended while it was down', async (context) => {
  const dataDirectory = mkdtempSync(join(directory, 'restarting-'));
  const first = await DevManager.start({ dataDirectory });
  const acc = await first.account('restarted');
  const relay = await Relay.start(first.manager.publicAddress.port);
  const environment = {
    MANAGER_HOST_AND_PORT: `https://localhost:${relay.port}`,
    SALLYPORT_EXTRA_CA_FILE: file('restarting-ca.pem', first.serverCa),
  };
  const setup = await start(context, acc, environment);
  // After the delegate, which may not have heard yet that its result was taken, and would wait for somebody who takes it.
  context.after(() => relay.close());
  await connected(setup);
  const flag = join(directory, 'restarted');
  const body = { type: 'SHELL_SCRIPT', data: { script: `while [ ! -e ${flag} ]; do sleep 0.02; done; echo survived` } };
  const { id } = await first.must('POST', '/ng/api/tasks?accountIdentifier=restarted', body, acc.adminKey);
  await eventually('the task runs', () => setup.lines.some((line) => line.includes('task started')));
  await first.stop();
  writeFileSync(flag, '');
  await eventually('the result waits', () => setup.lines.some((line) => line.includes('could not be reported')));
  const second = await DevManager.start({ dataDirectory });
  context.after(() => second.stop());
  relay.upstreamPort = second.manager.publicAddress.port;
  const path = `/ng/api/tasks/${id}?accountIdentifier=restarted&waitSeconds=20`;
  const { status, result } = await second.must('GET', path, undefined, acc.adminKey);
  assert.deepEqual([status, result?.['stdout']], ['SUCCEEDED', 'survived\n']);
  // The longer the manager was away, the longer the delegate waits between its attempts: up to a minute.
  await connected(setup, 'push', 90_000);
});

test('a rotated certificate is taken into use without losing the stream or a running task', async (context) => {
  const acc = await account('STRICT');
  const environment = mtlsEnvironment(acc, await authority.client('before'));
  const setup = await start(context, acc, environment);
  await connected(setup);
  const flag = join(directory, 'rotated');
  const task = await createTask(acc, `while [ ! -e ${flag} ]; do sleep 0.02; done`);
  await isRunning(acc, task['id']);
  mtlsEnvironment(acc, await authority.client('afterwards'));
  await eventually('the stream is renewed', () =>
    setup.lines.some((line) => line.includes('push stream now uses the new')),
  );
  const subject = await eventually('the manager sees the new certificate', async () => {
    const seen = String((await replicaOf(acc)).replica?.['certificate']?.['subject']);
    return seen.includes('afterwards') && seen;
  });
  assert.match(subject, /afterwards/);
  writeFileSync(flag, '');
  assert.equal((await finished(acc, task['id']))['status'], 'SUCCEEDED');
  assert.ok(!setup.lines.some((line) => line.includes('no connection')), 'the connection was never lost');
});

test('a new certificate that the manager refuses leaves the old one in use, and says so', async (context) => {
  const acc = await account('STRICT');
  const setup = await start(context, acc, mtlsEnvironment(acc, await authority.client('good')));
  await connected(setup);
  const stranger = await TestAuthority.create('Stranger CA');
  mtlsEnvironment(acc, await stranger.client('stranger'));
  const problem = await eventually('the problem shows', async () => (await setup.health()).certificate?.problem);
  assert.match(problem, /The manager does not take the new certificate: .*Stranger CA/);
  assert.match((await setup.health()).certificate?.subject ?? '', /good/);
  const task = await createTask(acc, 'echo still here');
  assert.equal((await finished(acc, task['id']))['status'], 'SUCCEEDED');
});

test("STRICT cuts a plain delegate, which tells the manager's reason and comes back with LOOSE, never by itself with or without a certificate", async (context) => {
  const acc = await account('LOOSE');
  const setup = await start(context, acc);
  await connected(setup);
  await manager.setMode(acc.id, 'STRICT');
  const { lastTrouble } = await eventually('refused', async () => {
    const health = await setup.health();
    const whole = health.lastTrouble !== null && !health.lastTrouble.message.endsWith('...');
    return health.connection.state === 'refused' && whole && health;
  });
  assert.equal(lastTrouble?.code, 'INVALID_AGENT_MTLS_AUTHORITY');
  assert.match(lastTrouble?.message ?? '', /STRICT/);
  assert.notEqual(lastTrouble?.remedy, '');
  await manager.setMode(acc.id, 'LOOSE');
  await connected(setup);
  const told = setup.lines.filter((line) => line.includes('the manager refuses this delegate'));
  assert.equal(told.length, 1, told.join(''));
});

test('a certificate that nobody knows is refused in the words of the manager', async (context) => {
  const acc = await account('STRICT');
  const stranger = await TestAuthority.create('Stranger CA');
  const setup = await start(context, acc, mtlsEnvironment(acc, await stranger.client('edge-1')));
  const trouble = await eventually('refused', async () => (await setup.health()).lastTrouble);
  assert.equal(trouble.code, 'UNKNOWN_ISSUER');
  assert.match(trouble.message, /Stranger CA/);
});

test('a revoked token dismisses the delegate with its own exit code', async (context) => {
  const acc = await account();
  const setup = await start(context, acc);
  await connected(setup);
  const path = `/ng/api/delegate-token-ng?accountIdentifier=${acc.id}`;
  const tokens = await manager.must('GET', path, undefined, acc.adminKey);
  await manager.must('PUT', `${path}&tokenName=${tokens[0]?.['name']}`, undefined, acc.adminKey);
  assert.equal(await setup.delegate.ended, EXIT.dismissed);
  assert.match(setup.lines.join(''), /the manager dismissed this delegate: .*revoked/);
});

test('closing lets a running task end, reports it and says goodbye; closing again changes nothing', async (context) => {
  const acc = await account();
  const setup = await start(context, acc);
  await connected(setup);
  const flag = join(directory, 'close');
  const task = await createTask(acc, `while [ ! -e ${flag} ]; do sleep 0.02; done; echo finished`);
  await isRunning(acc, task['id']);
  const closing = setup.delegate.close();
  const late = await createTask(acc, 'echo too late');
  void setup.delegate.close();
  writeFileSync(flag, '');
  await closing;
  assert.equal(await setup.delegate.ended, EXIT.stopped);
  assert.equal((await taskOf(acc, task['id']))['result']?.['stdout'], 'finished\n');
  assert.equal((await taskOf(acc, late['id']))['status'], 'QUEUED');
  assert.equal(String((await replicaOf(acc)).delegate?.['connected']), 'false');
});

test('a task that outlives the grace period is ended and its result reported', async (context) => {
  const acc = await account();
  const setup = await start(context, acc, { DELEGATE_GRACE_PERIOD_SECONDS: '0' });
  await connected(setup);
  const task = await createTask(acc, 'sleep 60');
  await isRunning(acc, task['id']);
  await setup.delegate.close();
  assert.equal(await setup.delegate.ended, EXIT.stopped);
  const { status, error } = await taskOf(acc, task['id']);
  assert.equal(status, 'FAILED');
  assert.match(String(error), /stopped before the task ended/);
});
