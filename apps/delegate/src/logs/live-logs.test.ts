import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, type TestContext, test } from 'node:test';
import { ManagerClient } from '@sallyport/client';
import { DevManager, eventually as eventuallyWithin, TestAuthority } from '@sallyport/dev-env';
import { LOG_SERVICE, logKey, logPaths, taskLogAbstractions } from '@sallyport/protocol';
import { pino } from 'pino';
import { Relay } from '../../test/relay.ts';
import { LogService } from './log-service.ts';
import { SpoolFolder } from './spool-folder.ts';
import { TaskLogs } from './task-logs.ts';

// Live logs with a real control plane, and both sides as processes that are killed.

/** Several programs start and are killed here, on machines that do other things too. */
const eventually = <T>(what: string, look: () => T | Promise<T>) => eventuallyWithin(what, look, 90_000);

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `line ${from + n}\n`).join('');

function temporaryFolder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-live-logs-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Program {
  readonly child: ChildProcess;
  readonly lines: string[];
  kill(): Promise<void>;
}

function start(context: TestContext, script: string, args: readonly string[], env: Record<string, string>): Program {
  const path = join(import.meta.dirname, script);
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path, ...args], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  context.after(kill);
  return { child, lines, kill };
}

const startDelegate = (context: TestContext, env: Record<string, string>) =>
  start(context, '../main.mjs', [], {
    DELEGATE_HEALTH_PORT: '0',
    DELEGATE_NAME: 'edge-1',
    PATH: '/usr/bin:/bin',
    ...env,
  });

/** A manager that can be killed and started again at the same address, with its data. */
class KilledManager {
  readonly #context: TestContext;
  readonly folder: string;
  port = 0;
  key = '';
  #program: Program | null = null;

  constructor(context: TestContext) {
    this.#context = context;
    this.folder = temporaryFolder(context);
  }

  async start(): Promise<void> {
    const settings = { ...this.#settings(), SALLYPORT_DATA_DIR: this.folder };
    // What it has compiled once is not compiled again.
    const { NODE_COMPILE_CACHE } = process.env;
    const program = start(this.#context, '../../../manager/test/manager-process.ts', [JSON.stringify(settings)], {
      PATH: '/usr/bin:/bin',
      ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }),
    });
    const line = await eventually('the manager listens', () => program.lines[0]);
    const told = JSON.parse(line) as { public: number; firstOperatorKey: string | null };
    this.port = told.public;
    this.key = told.firstOperatorKey ?? this.key;
    this.#program = program;
  }

  /** In this process, when it is not to be killed any more. */
  async startLast(): Promise<void> {
    const manager = await DevManager.start({ dataDirectory: this.folder, environment: this.#settings() });
    this.#context.after(() => manager.stop());
  }

  async kill(): Promise<void> {
    await this.#program?.kill();
  }

  caFile(): string {
    return join(this.folder, 'development-ca', 'ca.crt');
  }

  #settings() {
    return { SALLYPORT_PUBLIC_LISTEN: `127.0.0.1:${this.port}`, SALLYPORT_MTLS_LISTEN: '127.0.0.1:0' };
  }
}

async function apiOf(context: TestContext, baseUrl: string, caFile: string, key: string): Promise<ManagerClient> {
  const authentication = async () => ({ 'x-api-key': key });
  const client = await ManagerClient.create({ baseUrl, extraCaFiles: [caFile], authentication });
  context.after(() => client.close());
  return client;
}

/** The text of a task's finished log; null while there is none. */
async function logOf(client: ManagerClient, accountID: string, taskId: string): Promise<string | null> {
  try {
    const query = { accountID, key: logKey(taskLogAbstractions(taskId)) };
    const { text } = await client.exchange({ method: 'GET', path: `${LOG_SERVICE}${logPaths.blob}`, query });
    return text
      .trim()
      .split('\n')
      .map((row) => (JSON.parse(row) as { out: string }).out)
      .join('');
  } catch {
    return null;
  }
}

/** The logs of a delegate in this process, as it makes them but for its own requests. */
async function taskLogs(context: TestContext, url: string, caFile: string, accountId: string, spool: string) {
  const client = await ManagerClient.create({ baseUrl: `${url}${LOG_SERVICE}`, extraCaFiles: [caFile] });
  const logs = new TaskLogs({
    service: new LogService(client, accountId, { requestMs: 60_000 }),
    ...{ accountId, folder: await SpoolFolder.open(spool, 64_000_000), secrets: [] },
    timings: { flushMs: 20, gatherMs: 2, slowMs: 50, retryBaseMs: 20, retryMaxMs: 50 },
    ...{ memoryBytes: 16_000_000, totalMemoryBytes: 64_000_000, logger: pino({ level: 'silent' }) },
  });
  context.after(async () => {
    await logs.close();
    await client.close();
  });
  return logs;
}

const textOf = (spool: string) =>
  readdirSync(spool)
    .map((name) => readFileSync(join(spool, name), 'utf8'))
    .join('');

test('every line arrives once and in order although the manager is killed again and again under load', async (context) => {
  const manager = new KilledManager(context);
  await manager.start();
  const spool = join(temporaryFolder(context), 'spool');
  const url = `https://localhost:${manager.port}`;
  const api = await apiOf(context, url, manager.caFile(), manager.key);
  await api.request({ method: 'POST', path: '/ng/api/accounts', body: { identifier: 'acme', name: 'Acme' } });
  const { text: token } = await api.exchange({
    method: 'GET',
    path: `${LOG_SERVICE}${logPaths.token}`,
    query: { accountID: 'acme' },
  });
  const logs = await taskLogs(context, url, manager.caFile(), 'acme', spool);
  const tasks = ['t1', 't2'];
  const outputs = await Promise.all(
    tasks.map((id) => logs.begin({ id, logging: { token, abstractions: taskLogAbstractions(id) }, secrets: {} }, true)),
  );
  const LAST = 1;
  let printed = 0;
  const print = (count: number) => {
    for (const output of outputs) output.stdout.write(Buffer.from(numbered(printed, printed + count)));
    printed += count;
  };
  for (let round = 0; round <= LAST; round += 1) {
    print(100);
    await eventually('lines are arriving', async () => {
      const info = await api
        .request({ method: 'GET', path: `${LOG_SERVICE}/stream/info`, query: { accountID: 'acme', key: 'taskId' } })
        .catch(() => null);
      return info !== null && sizesOf(info) > 2 * (printed - 100);
    });
    // Killed while it is writing some of them: which, nobody knows.
    print(4_000);
    await new Promise((resolve) => setImmediate(resolve));
    await manager.kill();
    print(20);
    await eventually('they wait on the disk', () => textOf(spool).includes(`line ${printed - 1}\\n`));
    await (round === LAST ? manager.startLast() : manager.start());
  }
  for (const output of outputs) {
    output.stdout.end();
    output.stderr.end();
    output.end();
  }
  for (const id of tasks) {
    const text = await eventually('the log is whole', () => logOf(api, 'acme', id));
    assert.ok(text === numbered(0, printed), `${id}: ${text.length} of ${numbered(0, printed).length}`);
  }
  await eventually('the spool is empty', () => readdirSync(spool).length === 0);
});

let manager: DevManager;
before(async () => {
  manager = await DevManager.start();
});
after(() => manager.stop());

test('a write that was committed and whose answer was lost is sent again and stored once', async (context) => {
  const { id: account, adminKey } = await manager.account('lost-answer');
  const folder = temporaryFolder(context);
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, manager.serverCa);
  const relay = await Relay.start(manager.manager.publicAddress.port);
  context.after(() => relay.close());
  const api = await apiOf(context, manager.publicUrl, caFile, adminKey);
  const query = { accountID: account, key: 'taskId' };
  const { text: token } = await api.exchange({ method: 'GET', path: `${LOG_SERVICE}${logPaths.token}`, query });
  const spool = join(folder, 'spool');
  const logs = await taskLogs(context, `https://localhost:${relay.port}`, caFile, account, spool);
  const output = await logs.begin(
    { id: 't1', logging: { token, abstractions: taskLogAbstractions('t1') }, secrets: {} },
    true,
  );
  for (let round = 0; round < 3; round += 1) {
    const lines = (round + 1) * 10;
    relay.muted = round > 0;
    output.stdout.write(Buffer.from(numbered(lines - 10, lines)));
    await eventually('they are stored', async () => {
      const info = await api.request({ method: 'GET', path: `${LOG_SERVICE}${logPaths.streamInfo}`, query });
      return sizesOf(info) === lines;
    });
    if (relay.muted) {
      relay.muted = false;
      relay.cut();
    }
    const next = String(lines).padStart(16, '0');
    await eventually('they are acknowledged', () => textOf(spool).split('\n')[0]?.endsWith(next));
  }
  output.stdout.end();
  output.end();
  assert.equal(await eventually('the log is whole', () => logOf(api, account, 't1')), numbered(0, 30));
});

function sizesOf(info: unknown): number {
  const { streams } = info as { streams: Record<string, { size: number }> };
  return Object.values(streams).reduce((sum, { size }) => sum + size, 0);
}

test('what a killed delegate has spooled is delivered by the next one, which says where the first ended', async (context) => {
  const { id: account, token, adminKey } = await manager.account('spooled');
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, 'spool'), { mode: 0o700 });
  writeFileSync(join(folder, 'ca.pem'), manager.serverCa);
  const relay = await Relay.start(manager.manager.publicAddress.port);
  context.after(() => relay.close());
  const environment = {
    ACCOUNT_ID: account,
    DELEGATE_TOKEN: token,
    MANAGER_HOST_AND_PORT: manager.publicUrl,
    LOG_STREAMING_SERVICE_URL: `https://localhost:${relay.port}/log-service/`,
    SALLYPORT_EXTRA_CA_FILE: join(folder, 'ca.pem'),
    DELEGATE_LOG_SPOOL_DIRECTORY: join(folder, 'spool'),
  };
  const first = startDelegate(context, environment);
  const script = `echo first; while [ -d ${folder} ] && [ ! -e ${folder}/gate ]; do sleep 0.02; done; echo second; echo third; while [ -d ${folder} ]; do sleep 0.05; done`;
  const body = { type: 'SHELL_SCRIPT', data: { script } };
  const { id } = await manager.must('POST', `/ng/api/tasks?accountIdentifier=${account}`, body, adminKey);
  const api = await apiOf(context, manager.publicUrl, join(folder, 'ca.pem'), adminKey);
  await eventually('the first line is there', async () => {
    const info = await api.request({
      method: 'GET',
      path: `${LOG_SERVICE}/stream/info`,
      query: { accountID: account, key: 'taskId' },
    });
    return sizesOf(info) === 1;
  });
  relay.upstreamPort = null;
  relay.cut();
  writeFileSync(join(folder, 'gate'), '');
  await eventually('the rest is spooled', () =>
    readdirSync(join(folder, 'spool')).some((name) => readFileSync(join(folder, 'spool', name)).includes('third')),
  );
  await first.kill();
  relay.upstreamPort = manager.manager.publicAddress.port;
  startDelegate(context, environment);
  const text = await eventually('the log is whole', () => logOf(api, account, String(id)));
  assert.match(text, /^first\nsecond\nthird\n\.\.\. the delegate ended here and was started again[^\n]*\n$/);
  await eventually('the spool is empty', () => readdirSync(join(folder, 'spool')).length === 0);
});

test('under STRICT a log writer that would have to go without mTLS is refused, and its task is none the worse', async (context) => {
  const authority = await TestAuthority.create('Customer CA');
  const acc = await manager.account('strict', { caCertificates: authority.certificatePem, mode: 'STRICT' });
  const folder = temporaryFolder(context);
  const pair = await authority.client('edge-1');
  for (const [name, text] of [
    ['ca.pem', manager.serverCa],
    ['client.crt', pair.certificatePem],
    ['client.key', pair.privateKeyPem],
  ] as const) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  }
  const { lines } = startDelegate(context, {
    ACCOUNT_ID: acc.id,
    DELEGATE_TOKEN: acc.token,
    MANAGER_HOST_AND_PORT: manager.mtlsUrl(acc.id),
    // The public listener asks for no client certificate, whatever the writer has.
    LOG_STREAMING_SERVICE_URL: `${manager.publicUrl}/log-service/`,
    DELEGATE_CLIENT_CERTIFICATE_PATH: join(folder, 'client.crt'),
    DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: join(folder, 'client.key'),
    SALLYPORT_EXTRA_CA_FILE: join(folder, 'ca.pem'),
    DELEGATE_LOG_SPOOL_DIRECTORY: join(folder, 'spool'),
  });
  const body = { type: 'SHELL_SCRIPT', data: { script: 'echo plain-secret-line' } };
  const { id } = await manager.must('POST', `/ng/api/tasks?accountIdentifier=${acc.id}`, body, acc.adminKey);
  const path = `/ng/api/tasks/${String(id)}?accountIdentifier=${acc.id}&waitSeconds=20`;
  assert.equal((await manager.must('GET', path, undefined, acc.adminKey))['status'], 'SUCCEEDED');
  await eventually('the refusal is told', () => lines.some((line) => line.includes('the log service does not take')));
  assert.ok(lines.some((line) => line.includes('LOG_STREAMING_SERVICE_URL names another host')));
  const api = await apiOf(context, manager.publicUrl, join(folder, 'ca.pem'), acc.adminKey);
  assert.equal(await logOf(api, acc.id, String(id)), null);
  assert.ok(readdirSync(join(folder, 'spool')).length === 1, 'it waits for the mode, or the URL, to be mended');
});
