// Among the first: takes as long as a dozen others.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

// What a newcomer does, with real processes: `npm start`, the lines that it prints, Ctrl-C, and a second start.

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-main-job-'));
const environment: NodeJS.ProcessEnv = {
  PATH: process.env['PATH'],
  // Where this test run says that CA certificates of the machine are: nowhere.
  SSL_CERT_DIR: process.env['SSL_CERT_DIR'],
  SSL_CERT_FILE: process.env['SSL_CERT_FILE'],
  HOME: folder,
  SALLYPORT_DATA_DIR: join(folder, 'data'),
  SALLYPORT_CONFIG_DIR: join(folder, 'config'),
  SALLYPORT_PUBLIC_LISTEN: '127.0.0.1:0',
  SALLYPORT_MTLS_LISTEN: '127.0.0.1:0',
};
const DEADLINE_MS = 60_000;

/** A started demonstration: its output so far, and its end. */
class Demonstration {
  readonly process: ChildProcess;
  output = '';

  constructor() {
    this.process = spawn(process.execPath, [join(root, 'tools/run.mjs'), 'apps/cli/src/main.mjs', 'demo'], {
      cwd: root,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.on('data', (data: Buffer) => (this.output += data));
  }

  async says(pattern: RegExp): Promise<void> {
    await until(
      () => pattern.test(this.output),
      () => `the demonstration never said ${pattern}:\n${this.output}`,
    );
  }

  async interrupt(): Promise<number | null> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGINT');
    const [code] = (await ended) as [number | null];
    return code;
  }
}

async function until(done: () => boolean | Promise<boolean>, explain: () => string, everyMs = 50): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await done())) {
    if (Date.now() > deadline) assert.fail(explain());
    await sleep(everyMs);
  }
}

async function sallyport(...args: string[]): Promise<string> {
  const { stdout } = await run(join(root, 'apps/cli/bin/sallyport.mjs'), ['--profile', 'demo', ...args], {
    env: environment,
  });
  return stdout;
}

interface Listed {
  readonly name: string;
  readonly connected: boolean;
  readonly delegateReplicas: readonly {
    readonly connected: boolean;
    readonly transport: string;
    readonly certificate: { readonly subject: string } | null;
  }[];
}

async function delegates(): Promise<Map<string, Listed>> {
  const listed = JSON.parse(await sallyport('delegate', 'list', '--json')) as Listed[];
  return new Map(listed.map((delegate) => [delegate.name, delegate]));
}

function timesConnected(delegate: string): number {
  const log = readFileSync(join(folder, 'data', 'demo', `${delegate}.log`), 'utf8');
  return log.split('"msg":"connected, ').length - 1;
}

function processesOfTheFolder(): Promise<string> {
  return run('sh', ['-c', `grep -lsF '${folder}' /proc/[0-9]*/environ || true`]).then(({ stdout }) => stdout.trim());
}

let demonstration: Demonstration;
before(async () => {
  demonstration = new Demonstration();
  await demonstration.says(/Ctrl-C ends everything/);
});
after(() => {
  demonstration.process.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

test('a first start seeds an account, its endpoint and two delegates, and runs a task on each', async () => {
  assert.match(demonstration.output, /mtls-delegate +mTLS as CN=mtls-delegate +task SUCCEEDED: hello from/);
  assert.match(demonstration.output, /plain-delegate +plain TLS, no client certificate +task SUCCEEDED: hello from/);
  assert.match(demonstration.output, /https:\/\/acme\.agent\.localhost:\d+/);
  const key = readFileSync(join(folder, 'data', 'operator.key'), 'utf8').trim();
  assert.ok(demonstration.output.includes(join(folder, 'data', 'operator.key')));
  assert.ok(!demonstration.output.includes(key), 'the key itself is not printed');
  const listed = await delegates();
  const certificate = listed.get('mtls-delegate')?.delegateReplicas.find((replica) => replica.connected)?.certificate;
  assert.equal(certificate?.subject, 'CN=mtls-delegate');
});

test('a task runs on the delegate that is named, with the exit code of its script', async () => {
  await Promise.all([
    sallyport('task', 'run', '--delegate', 'mtls-delegate', '--', 'echo', 'through the gate').then((output) =>
      assert.equal(output, 'through the gate\n'),
    ),
    assert.rejects(sallyport('task', 'run', '--delegate', 'plain-delegate', '--', 'exit 3'), { code: 3 }),
  ]);
});

test('STRICT cuts the plain delegate off, tells it why, and LOOSE lets it come back', async () => {
  await sallyport('endpoint', 'mode', 'STRICT');
  await demonstration.says(/\[plain-delegate\].*accepts mTLS delegates only/);
  const [told, strict, output] = await Promise.all([
    sallyport('endpoint', 'refusals', '--json'),
    delegates(),
    sallyport('task', 'run', '--delegate', 'mtls-delegate', '--', 'echo', 'still here'),
  ]);
  const refusals = JSON.parse(told) as { reason: string }[];
  assert.ok(refusals.some(({ reason }) => reason === 'MTLS_REQUIRED'));
  assert.equal(strict.get('plain-delegate')?.connected, false);
  assert.equal(strict.get('mtls-delegate')?.connected, true);
  assert.equal(output, 'still here\n');
  const before = timesConnected('plain-delegate');
  await sallyport('endpoint', 'mode', 'LOOSE');
  // Each look at the list is two processes; the delegate itself says in its log when there is something to see.
  await until(
    () => timesConnected('plain-delegate') > before,
    () => demonstration.output,
  );
  await until(
    async () => (await delegates()).get('plain-delegate')?.connected === true,
    () => demonstration.output,
    1_000,
  );
});

test('Ctrl-C ends everything that it started, and a second start finds its data', async () => {
  assert.equal(await demonstration.interrupt(), 0);
  assert.equal(await processesOfTheFolder(), '');
  demonstration = new Demonstration();
  await demonstration.says(/Ctrl-C ends everything/);
  assert.match(demonstration.output, /found its data/);
  assert.match(demonstration.output, /plain-delegate .*task SUCCEEDED/);
  assert.equal(await demonstration.interrupt(), 0);
});
