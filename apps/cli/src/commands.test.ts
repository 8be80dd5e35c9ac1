import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DevAccount, DevManager, TestAuthority } from '@sallyport/dev-env';
import { type Outcome, type RunOptions, runCommand } from '../test/captured-terminal.ts';

// Every command in this process against a real manager; end-to-end.test.ts runs some of them as a person does.
let manager: DevManager;
let folder: string;
let authority: TestAuthority;
let acme: DevAccount;
before(async () => {
  manager = await DevManager.start();
  folder = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  await writeFile(join(folder, 'server-ca.crt'), manager.serverCa);
  authority = await TestAuthority.create('Acme CA');
  acme = await manager.account('acme', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
});
after(async () => {
  await manager.stop();
  await rm(folder, { recursive: true });
});

function runAs(key: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const environment = {
    SALLYPORT_URL: manager.publicUrl,
    SALLYPORT_CA_FILE: join(folder, 'server-ca.crt'),
    SALLYPORT_API_KEY: key,
    ...options.environment,
  };
  return runCommand(args, { ...options, environment, now: options.now ?? Date.now() });
}
const asOperator = (...args: string[]) => runAs(manager.operatorKey, args);
const asAdmin = (...args: string[]) => runAs(acme.adminKey, args);

async function jsonOf<T>(outcome: Promise<Outcome>): Promise<T> {
  const { exit, stdout, stderr } = await outcome;
  assert.equal(exit, 0, stderr);
  return JSON.parse(stdout) as T;
}

test('--json prints exactly the resource of the API: an object for one thing, an array for a list', async () => {
  const pairs: ReadonlyArray<readonly [args: string[], path: string]> = [
    [['account', 'show'], '/ng/api/accounts/acme'],
    [['account', 'list'], '/ng/api/accounts'],
    [['key', 'list'], '/ng/api/api-keys?accountIdentifier=acme'],
    [['key', 'list', '--operator'], '/ng/api/api-keys'],
    [['endpoint', 'show'], '/ng/api/agent/mtls/endpoint?accountIdentifier=acme'],
    [['endpoint', 'refusals'], '/ng/api/agent/mtls/refusals?accountIdentifier=acme'],
    [['token', 'list'], '/ng/api/delegate-token-ng?accountIdentifier=acme'],
    [['task', 'list'], '/ng/api/tasks?accountIdentifier=acme'],
  ];
  for (const [args, path] of pairs) {
    const shown = await jsonOf(asOperator(...args, '--json', '--account', 'acme'));
    assert.deepEqual(shown, await manager.must('GET', path), args.join(' '));
  }
  assert.deepEqual(await jsonOf(asAdmin('delegate', 'list', '--json')), []);
});

test("a viewer's write is denied with the role that it takes, and its reading is not", async () => {
  const denied = await runAs(acme.viewerKey, ['endpoint', 'mode', 'strict']);
  assert.equal(denied.exit, 4);
  assert.match(denied.stderr, /details: NG_ACCESS_DENIED \(HTTP 403\), correlation id /);
  assert.equal((await runAs(acme.viewerKey, ['endpoint', 'show'])).exit, 0);
});

test('a key that is not valid, another account and a missing thing have exit codes of their own', async () => {
  assert.equal((await runAs('sat.nobody.secret', ['account', 'list'])).exit, 4);
  assert.equal((await asAdmin('endpoint', 'show', '--account', 'other')).exit, 4);
  assert.equal((await asOperator('account', 'show', 'nobody')).exit, 5);
  assert.equal((await asOperator('account', 'create', 'acme')).exit, 6);
  assert.equal((await asAdmin('endpoint', 'check-prefix', 'acme')).exit, 6);
  assert.equal((await asAdmin('endpoint', 'check-prefix', 'free')).exit, 0);
  const nameless = await asOperator('token', 'list');
  assert.equal(nameless.exit, 2);
  assert.match(nameless.stderr, /No account is named/);
});

test('an endpoint is changed in what is given only; giving nothing is a mistake', async () => {
  const before = await jsonOf<Record<string, string>>(asAdmin('endpoint', 'show', '--json'));
  const after = await jsonOf<Record<string, string>>(asAdmin('endpoint', 'update', '--mode', 'LOOSE', '--json'));
  assert.deepEqual(after, before);
  assert.equal((await asAdmin('endpoint', 'update')).exit, 2);
});

test('a private key never leaves the machine, not even to be refused', async () => {
  const file = join(folder, 'ca.key');
  await writeFile(file, `${authority.certificatePem}${authority.pair.privateKeyPem}`);
  const before = manager.log().length;
  for (const options of [{ args: file }, { args: '-', stdin: `${authority.pair.privateKeyPem}` }]) {
    const { exit, stderr } = await runAs(acme.adminKey, ['endpoint', 'update', '--ca-certificates', options.args], {
      stdin: options.stdin ?? '',
    });
    assert.equal(exit, 2);
    assert.match(stderr, /holds a private key[\s\S]*Nothing was sent/);
  }
  assert.equal(manager.log().slice(before).includes('/ng/api/agent/mtls/endpoint'), false);
});

test('what is weak about the CA certificates is a warning beside the result', async () => {
  const soon = await TestAuthority.create('Soon gone', { days: 30 });
  await manager.account('soon', { caCertificates: soon.certificatePem, mode: 'LOOSE' });
  const { exit, stdout, stderr } = await asOperator('endpoint', 'show', '--account', 'soon');
  assert.equal(exit, 0);
  assert.match(stdout, /^CA certificates: CN=Soon gone \(until /m);
  assert.match(stderr, /^warning: .*Soon gone/);
  const json = await asOperator('endpoint', 'show', '--account', 'soon', '--json');
  assert.ok('warning' in (JSON.parse(json.stderr) as object));
});

test('a refused client is listed with its certificate and the one thing to do', async () => {
  const stranger = await TestAuthority.create('Stranger CA');
  const certificate = await stranger.client('intruder');
  const answer = await manager.request(`${manager.mtlsUrl('acme')}/api/account/acme/status`, { certificate });
  const { exit, stdout } = await asAdmin('endpoint', 'refusals');
  assert.equal(exit, 0, JSON.stringify(answer.body));
  assert.match(stdout, /^LAST SEEN +COUNT +REASON +FROM +HOST +CERTIFICATE +EXPLANATION\n/);
  assert.match(stdout, /UNKNOWN_ISSUER +\S+ +acme\.agent\.localhost +CN=intruder/);
  assert.match(stdout, /\n\nWhat to do:\n {2}UNKNOWN_ISSUER: .+\n$/);
});

test('a key is shown when it is created, works, and stops working when it is revoked', async () => {
  const created = await jsonOf<{ uuid: string; key: string; role: string }>(
    asAdmin('key', 'create', 'ci', '--role', 'viewer', '--expires', '90d', '--json'),
  );
  assert.equal(created.role, 'ACCOUNT_VIEWER');
  assert.equal((await runAs(created.key, ['token', 'list'])).exit, 0);
  assert.equal((await asAdmin('key', 'revoke', created.key)).exit, 2);
  assert.equal((await asAdmin('key', 'revoke', created.uuid)).exit, 0);
  assert.equal((await runAs(created.key, ['token', 'list'])).exit, 4);
});

test('a token is created with its value, revoked without it, and deleted', async () => {
  assert.match(
    (await asAdmin('token', 'create', 'ci', '--revoke-after', '1d')).stdout,
    /^Value: +[A-Za-z0-9+/]{43}=$/m,
  );
  assert.doesNotMatch((await asAdmin('token', 'list')).stdout, /[A-Za-z0-9+/]{43}=/);
  assert.doesNotMatch((await asAdmin('token', 'revoke', 'ci')).stdout, /Value/);
  assert.equal((await asAdmin('token', 'delete', 'ci')).stdout, 'Token "ci" is deleted.\n');
  assert.equal((await asAdmin('token', 'list', '--status', 'revoked')).stdout, 'There are no tokens.\n');
});

test('a task that no delegate takes ends with 7 and says where to look', async () => {
  const { exit, stdout, stderr } = await asAdmin(
    'task',
    'run',
    '--delegate',
    'nobody',
    '--timeout',
    '1s',
    '--',
    'uname',
  );
  assert.equal(exit, 7, stderr);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /error: Task \S+ ended as EXPIRED[\s\S]*details: TASK_EXPIRED\nremedy: .*sallyport delegate list/,
  );
});

test('a detached task is shown as it was created, with the script and the delegate that were asked for', async () => {
  const args = ['task', 'run', '--detach', '--json', '--delegate', 'edge-1', '--tag', 'linux', '--variable', 'A=b=c'];
  const task = await jsonOf<{ id: string; status: string; selectors: string[]; data: object }>(
    asAdmin(...args, '--interpreter', 'bash', '--directory', '/tmp', '--', 'echo', 'a  b'),
  );
  assert.equal(task.status, 'QUEUED');
  assert.deepEqual(task.selectors, ['edge-1', 'linux']);
  assert.deepEqual(task.data, {
    script: "echo 'a  b'",
    interpreter: 'bash',
    workingDirectory: '/tmp',
    environment: { A: 'b=c' },
  });
  assert.match((await asAdmin('task', 'show', task.id)).stdout, /^Status: +QUEUED$/m);
  assert.match(
    (await asAdmin('task', 'list', '--status', 'queued')).stdout,
    new RegExp(`^${task.id} +QUEUED +SHELL_SCRIPT`, 'm'),
  );
  assert.match((await asAdmin('task', 'abort', task.id)).stdout, /^Status: +ABORTED$/m);
});

test('a script comes from a file or from standard input, and only from one place', async () => {
  const file = join(folder, 'script.sh');
  await writeFile(file, 'date\n');
  const detached = ['task', 'run', '--detach', '--json', '--script'];
  const fromFile = await jsonOf<{ data: { script: string } }>(asAdmin(...detached, file));
  const fromStdin = await jsonOf<{ data: { script: string } }>(
    runAs(acme.adminKey, [...detached, '-'], { stdin: 'id\n' }),
  );
  assert.deepEqual([fromFile.data.script, fromStdin.data.script], ['date\n', 'id\n']);
  assert.match((await asAdmin('task', 'run', '--script', file, '--', 'id')).stderr, /Both --script and a command/);
  assert.match((await asAdmin('task', 'run')).stderr, /nothing to run/);
});

test('what cannot be undone is not done without --yes when there is nobody to ask', async () => {
  for (const args of [
    ['account', 'delete', 'soon'],
    ['endpoint', 'delete', '--account', 'soon'],
  ]) {
    const { exit, stderr } = await asOperator(...args);
    assert.equal(exit, 2);
    assert.match(stderr, /remedy: Add --yes/);
  }
  assert.equal(await jsonOf(asOperator('endpoint', 'delete', '--account', 'soon', '--yes', '--json')), true);
  assert.equal((await asOperator('account', 'delete', 'soon', '--yes')).exit, 0);
  assert.equal((await asOperator('account', 'show', 'soon')).exit, 5);
});
