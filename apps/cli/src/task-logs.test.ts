// Among the first: takes as long as a dozen others.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DevAccount, DevManager, eventually, TestAuthority } from '@sallyport/dev-env';
import { type Outcome, type RunOptions, runCommand } from '../test/captured-terminal.ts';
import { outcomeOf, startProcess } from '../test/cli-process.ts';

// Live logs from end to end: a delegate as its own process behind the mTLS endpoint of a STRICT account, this command, and
// a whole manager between them.
let manager: DevManager;
let folder: string;
let acme: DevAccount;
let environment: Record<string, string>;
let delegate: ChildProcess;
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
    CALLERS_TOKEN: 'hunter2-of-the-caller',
  };
  const files = ['--certificate', join(folder, 'client.crt'), '--key', join(folder, 'client.key')];
  const names = ['--name', 'edge-1', '--token', 'default_token'];
  delegate = startProcess(['delegate', 'run', ...names, '--manager', manager.mtlsUrl('acme'), ...files], {
    ...environment,
    DELEGATE_HEALTH_PORT: '0',
    DELEGATE_LOG_SPOOL_DIRECTORY: join(folder, 'spool'),
  });
  delegate.stdout?.resume();
  delegate.stderr?.resume();
});
after(async () => {
  // Not SIGKILL: the command runs in a process below the one that was started, and is told to end by it.
  delegate.kill('SIGTERM');
  await once(delegate, 'exit');
  await manager.stop();
  await rm(folder, { recursive: true });
});

const run = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  runCommand(args, { ...options, environment: { ...environment, ...options.environment } });

async function taskOf(script: string): Promise<string> {
  const { stdout } = await run(['task', 'run', '--json', '--', script]);
  return String((JSON.parse(stdout) as { id: unknown }).id);
}

test('task run --follow gives out each output as it came and ends with the exit code of the script', async () => {
  const script = 'for n in 1 2 3; do echo out $n; echo err $n >&2; done; printf last; exit 42';
  const { exit, stdout, stderr } = await run(['task', 'run', '--follow', '--', script]);
  assert.deepEqual([exit, stdout, stderr], [42, 'out 1\nout 2\nout 3\nlast\n', 'err 1\nerr 2\nerr 3\n']);
});

test('a line is printed while the script that wrote it still runs', async () => {
  const gate = join(folder, 'gate');
  const script = `echo waiting; while [ ! -e ${gate} ]; do sleep 0.05; done; echo done`;
  const child = startProcess(['task', 'run', '--follow', '--', script], environment);
  let shown = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
  });
  const ended = outcomeOf(child);
  await eventually('the first line is shown', () => shown === 'waiting\n');
  await writeFile(gate, '');
  const { exit, stdout } = await ended;
  assert.deepEqual([exit, stdout], [0, 'waiting\ndone\n']);
});

test('with --json every line of the log is one of JSON, and the task comes last', async () => {
  const { exit, stdout } = await run(['task', 'run', '--follow', '--json', '--', 'echo out; sleep 0.1; echo err >&2']);
  assert.equal(exit, 0);
  const rows = stdout
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row) as Record<string, unknown>);
  assert.deepEqual(
    rows.slice(0, 2).map((row) => [row['out'], row['args']]),
    [
      ['out\n', null],
      ['err\n', { stream: 'stderr' }],
    ],
  );
  assert.deepEqual(Object.keys(rows[2] ?? {}), ['task']);
  assert.equal(rows.length, 3);
});

test('task logs prints the log of a task that has ended, in colours, and nothing else', async () => {
  const id = await taskOf(`printf '\\033[32mgreen\\033[0m\\n'; echo err >&2`);
  await eventually('the log is closed', async () => (await run(['task', 'logs', id])).stdout !== '');
  assert.deepEqual(await run(['task', 'logs', id]), { exit: 0, stdout: '\x1b[32mgreen\x1b[0m\n', stderr: 'err\n' });
  const bare = await run(['task', 'logs', id], { environment: { NO_COLOR: '1' } });
  assert.equal(bare.stdout, 'green\n');
  const followed = await run(['task', 'logs', id, '--follow']);
  assert.equal(followed.stdout, '\x1b[32mgreen\x1b[0m\n');
  assert.equal((await run(['task', 'logs', 'nobody'])).exit, 5);
});

test('task logs of a running task prints what there is; with --follow it goes on, and Ctrl-C leaves the task alone', async () => {
  const gate = join(folder, 'second-gate');
  const script = `echo first; while [ ! -e ${gate} ]; do sleep 0.05; done; echo second`;
  const created = await run(['task', 'run', '--detach', '--json', '--', script]);
  const { id } = JSON.parse(created.stdout) as { id: string };
  await eventually('the first line is there', async () => (await run(['task', 'logs', id])).stdout === 'first\n');
  const left = startProcess(['task', 'logs', id, '--follow'], environment);
  const ended = outcomeOf(left);
  let shown = '';
  left.stdout?.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
  });
  await eventually('it is shown', () => shown === 'first\n');
  left.kill('SIGINT');
  assert.equal((await ended).exit, 130);
  const followed = startProcess(['task', 'logs', id, '--follow'], environment);
  const outcome = outcomeOf(followed);
  let followedText = '';
  followed.stdout?.on('data', (chunk: Buffer) => {
    followedText += chunk.toString();
  });
  await eventually('it is shown again', () => followedText === 'first\n');
  await writeFile(gate, '');
  const { exit, stdout, stderr } = await outcome;
  assert.deepEqual([exit, stdout], [0, 'first\nsecond\n']);
  assert.match(stderr, /Task \S+ is SUCCEEDED\.\n$/);
});

/** A task that no delegate takes, and the log service by hand in the place of one. */
async function byHand(accountId: string) {
  const { id, adminKey } = await manager.account(accountId);
  const query = `accountIdentifier=${id}`;
  const task = await manager.must('POST', `/ng/api/tasks?${query}`, { type: 'ECHO', data: {} }, adminKey);
  const taskId = String(task['id']);
  const token = await manager.api('GET', `/log-service/token?accountID=${id}`, undefined, adminKey);
  const stream = async (method: string, more: string, ...outs: string[]) => {
    const url = `${manager.publicUrl}/log-service/stream?accountID=${id}&key=taskId:${taskId}${more}`;
    const body = method === 'PUT' ? { body: outs.map((out) => ({ out })) } : {};
    const headers = { 'x-harness-token': String(token.body) };
    assert.equal((await manager.request(url, { method, headers, ...body })).status, 204);
  };
  const abort = () => manager.must('POST', `/ng/api/tasks/${taskId}/abort?${query}`, {}, adminKey);
  return { taskId, adminKey, stream, abort };
}

test('task logs --follow of a task that has ended goes on until its log is closed', async () => {
  const { taskId, adminKey, stream, abort } = await byHand('delivers-later');
  await abort();
  await stream('POST', '');
  await stream('PUT', '', 'one\n');
  const following = startProcess(['task', 'logs', taskId, '--follow'], { ...environment, SALLYPORT_API_KEY: adminKey });
  const ended = outcomeOf(following);
  let shown = '';
  following.stdout?.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
  });
  await eventually('what there is, is shown', () => shown === 'one\n');
  const left = startProcess(['task', 'logs', taskId, '--follow'], { ...environment, SALLYPORT_API_KEY: adminKey });
  const leaving = outcomeOf(left);
  left.stdout?.once('data', () => left.kill('SIGINT'));
  assert.deepEqual(await leaving, { exit: 130, stdout: 'one\n', stderr: '' });
  await stream('PUT', '', 'two\n');
  await stream('DELETE', '&snapshot=true');
  const { exit, stdout, stderr } = await ended;
  assert.deepEqual([exit, stdout], [0, 'one\ntwo\n'], stderr);
});

test('task logs prints a log that goes on from its beginning, each line once', async () => {
  const { taskId, adminKey, stream } = await byHand('goes-on');
  const logs = () => run(['task', 'logs', taskId], { environment: { SALLYPORT_API_KEY: adminKey } });
  await stream('POST', '');
  await stream('PUT', '', 'one\n', 'two\n');
  assert.equal((await logs()).stdout, 'one\ntwo\n');
  await stream('DELETE', '&snapshot=true');
  assert.equal((await logs()).stdout, 'one\ntwo\n');
  await stream('POST', '&continue=true');
  assert.equal((await logs()).stdout, 'one\ntwo\n');
  await stream('PUT', '', 'three\n');
  assert.equal((await logs()).stdout, 'one\ntwo\nthree\n');
});

test('secrets reach the script, and show neither in the log nor in the result', async () => {
  const file = join(folder, 'secret');
  await writeFile(file, 'hunter2-from-a-file\n');
  const options = ['--secret', 'A=hunter2-given', '--secret-file', `B=${file}`, '--secret-env', 'C=CALLERS_TOKEN'];
  const script = 'echo "$A|$B|$C"; printf "u:%s" "$A" | base64; printf %s "$B" | wc -c >&2';
  const { exit, stdout, stderr } = await run(['task', 'run', '--follow', '--json', ...options, '--', script]);
  assert.equal(exit, 0, stderr);
  assert.match(stderr, /SECRET_ON_COMMAND_LINE/);
  assert.ok(!(stdout + stderr).includes('hunter2'), stdout);
  assert.match(stdout, /"out":"\*\*\*\|\*\*\*\|\*\*\*\\n"/);
  const { task } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
    task: { result: { stdout: string; stderr: string } };
  };
  assert.match(task.result.stdout, /^\*\*\*\|\*\*\*\|\*\*\*\n.{0,6}\*\*\*\n$/);
  assert.equal(task.result.stderr.trim(), '19');
});

test('secrets that cannot be read are named, without a request', async () => {
  const cases: ReadonlyArray<readonly [options: string[], message: RegExp]> = [
    [['--secret', 'nothing'], /NAME=value/],
    [['--secret-env', 'NOT_SET_HERE'], /The variable NOT_SET_HERE for the secret NOT_SET_HERE is not set here/],
    [['--secret-file', 'A=/nonexistent'], /The file \/nonexistent of the secret A cannot be read/],
    [['--secret-env', 'CALLERS_TOKEN', '--secret', 'CALLERS_TOKEN=abcd'], /CALLERS_TOKEN is given twice/],
  ];
  for (const [options, message] of cases) {
    const { exit, stderr } = await run(['task', 'run', ...options, '--', 'true']);
    assert.equal(exit, 2, stderr);
    assert.match(stderr, message);
  }
});

test('on a terminal, what a script prints cannot move the cursor', async () => {
  const { stdout } = await run(['task', 'run', '--follow', '--', `printf '\\033[31mred\\033[2J\\n'`], { columns: 80 });
  assert.equal(stdout, '\x1b[31mred\\x1b[2J\n\x1b[0m');
});

test('Ctrl-C while following aborts the task, as without following', async () => {
  const child = startProcess(['task', 'run', '--follow', '--', 'echo started; sleep 300'], environment);
  let shown = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
  });
  const ended = outcomeOf(child);
  await eventually('it runs', () => shown === 'started\n');
  child.kill('SIGINT');
  const { exit, stderr } = await ended;
  assert.equal(exit, 130, stderr);
  assert.match(stderr, /Task \S+ is ABORTED\.\n$/);
});

test('nothing is left in the spool of a delegate whose logs are delivered', async () => {
  await eventually('the spool is empty', async () => (await readdir(join(folder, 'spool'))).length === 0);
});
