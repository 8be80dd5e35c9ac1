import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DevAccount, DevManager, TestAuthority } from '@sallyport/dev-env';
import { type Outcome, runCommand } from '../test/captured-terminal.ts';
import { outcomeOf, startProcess } from '../test/cli-process.ts';

// One delegate, started by the command line as its own process, connected through its account's mTLS endpoint.
let manager: DevManager;
let folder: string;
let acme: DevAccount;
let environment: Record<string, string>;
let delegate: ChildProcess;
let ended: Promise<Outcome>;
before(async () => {
  manager = await DevManager.start();
  folder = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  const authority = await TestAuthority.create('Acme CA');
  acme = await manager.account('acme', { caCertificates: authority.certificatePem, mode: 'STRICT' });
  const { certificatePem, privateKeyPem } = await authority.client('edge-1');
  await writeFile(join(folder, 'server-ca.crt'), manager.serverCa);
  await writeFile(join(folder, 'client.crt'), certificatePem);
  await writeFile(join(folder, 'client.key'), privateKeyPem, { mode: 0o600 });
  environment = {
    SALLYPORT_CONFIG_DIR: join(folder, 'config'),
    SALLYPORT_URL: manager.publicUrl,
    SALLYPORT_CA_FILE: join(folder, 'server-ca.crt'),
    SALLYPORT_API_KEY: acme.adminKey,
  };
  const files = ['--certificate', join(folder, 'client.crt'), '--key', join(folder, 'client.key')];
  const names = ['--name', 'edge-1', '--tag', 'linux', '--tag', 'lab', '--token', 'default_token'];
  delegate = startProcess(['delegate', 'run', ...names, '--manager', manager.mtlsUrl('acme'), ...files], {
    ...environment,
    DELEGATE_HEALTH_PORT: '0',
    DELEGATE_LOG_SPOOL_DIRECTORY: join(folder, 'spool'),
  });
  ended = outcomeOf(delegate);
});
after(async () => {
  delegate.kill('SIGKILL');
  await manager.stop();
  await rm(folder, { recursive: true });
});

const run = (...args: string[]) => runCommand(args, { environment });

test('task run gives out what the script wrote and ends with its exit code', async () => {
  const script = 'echo out; echo err >&2; exit 42';
  const { exit, stdout, stderr } = await run('task', 'run', '--delegate', 'edge-1', '--tag', 'lab', '--', script);
  assert.deepEqual([exit, stdout, stderr], [42, 'out\n', 'err\n']);
});

test("with --json the task comes out as the API shows it, and the exit code is still the script's", async () => {
  const { exit, stdout } = await run('task', 'run', '--json', '--', 'printf', '%s|', 'a  b', '$HOME');
  assert.equal(exit, 0);
  const task = JSON.parse(stdout) as { id: string; result: { stdout: string } };
  assert.equal(task.result.stdout, 'a  b|$HOME|');
  const known: unknown = await manager.must('GET', `/ng/api/tasks/${task.id}?accountIdentifier=acme`);
  assert.deepEqual(known, task);
  const shown = await run('task', 'show', task.id);
  assert.match(shown.stdout, /^Delegate: +edge-1$[\s\S]*^Exit code: +0$/m);
});

test('a script that takes longer than --timeout ends with 124', async () => {
  const { exit, stderr } = await run('task', 'run', '--timeout', '1s', '--', 'sleep', '60');
  assert.equal(exit, 124, stderr);
  assert.match(stderr, /give a longer --timeout/);
});

test('a script on the delegate cannot read the API key that started it', async () => {
  const { exit, stdout } = await run('task', 'run', '--', 'env');
  assert.equal(exit, 0);
  assert.equal(stdout.includes(acme.adminKey), false);
  assert.equal(stdout.includes('SALLYPORT_API_KEY'), false);
});

test('delegate list shows how it is connected and as whom', async () => {
  const { stdout } = await run('delegate', 'list', '--connected', '--tag', 'linux');
  assert.match(stdout, /^NAME +STATE +TRANSPORT +VERSION +HOST +LAST SEEN +CERTIFICATE EXPIRES +AUTO-UPGRADE +TAGS\n/);
  assert.match(
    stdout,
    /^edge-1 +connected +MTLS +\S+ +\S+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ +\d{4}-\d\d-\d\d .* DETECTING .*lab/m,
  );
  const { stdout: certificates } = await run('delegate', 'list', '--certificates');
  assert.match(certificates, /^edge-1 +connected +MTLS +CN=edge-1 +CN=Acme CA +\S+ \S+Z +[0-9a-f]{64}$/m);
});

test('delegate run ends well on SIGTERM', async () => {
  delegate.kill('SIGTERM');
  const { exit, stderr } = await ended;
  assert.equal(exit, 0, stderr);
});

test('delegate run says what its environment lacks and does not start', async () => {
  const { exit, stderr } = await run('delegate', 'run', '--token', 'default_token');
  assert.equal(exit, 2);
  assert.match(stderr, /error: The delegate did not start\.[\s\S]*DELEGATE_NAME/);
  const missing = await run('delegate', 'run', '--name', 'edge-2', '--token', 'nothing');
  assert.equal(missing.exit, 5);
  assert.match(missing.stderr, /has no active token "nothing"/);
});
