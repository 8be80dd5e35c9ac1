import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { DevManager, eventually } from '@sallyport/dev-env';

interface Run {
  readonly child: ChildProcess;
  readonly lines: string[];
  readonly exited: Promise<number | null>;
}

/** The program itself, in a process of its own. */
function run(context: TestContext, environment: Record<string, string>): Run {
  const args = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'main.mjs')];
  const child = spawn(process.execPath, args, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  return { child, lines, exited: once(child, 'close').then(([code]) => code) };
}

test('a wrong environment is told variable by variable, with the exit code for it', async (context) => {
  const { lines, exited } = run(context, { DELEGATE_TOKEN: 'x', DELEGATE_HEALTH_PORT: 'high' });
  assert.equal(await exited, 2);
  const { problems } = JSON.parse(lines.join('\n'));
  assert.deepEqual(
    problems.map((problem: string) => problem.split(':')[0]),
    ['MANAGER_HOST_AND_PORT', 'ACCOUNT_ID', 'DELEGATE_TOKEN', 'DELEGATE_NAME', 'DELEGATE_HEALTH_PORT'],
  );
});

test('a certificate file that is not there stops the start with the exit code for it', async (context) => {
  const { lines, exited } = run(context, {
    ACCOUNT_ID: 'acme',
    DELEGATE_TOKEN: '00112233445566778899aabbccddeeff',
    DELEGATE_NAME: 'edge-1',
    MANAGER_HOST_AND_PORT: 'https://acme.agent.localhost:1',
    DELEGATE_CLIENT_CERTIFICATE_PATH: '/nowhere/client.crt',
    DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: '/nowhere/client.key',
  });
  assert.equal(await exited, 2);
  assert.match(lines.join('\n'), /\/nowhere\/client\.(crt|key) cannot be read \(ENOENT\)/);
});

test('SIGTERM, even twice, lets the running task end and be reported, then the process leaves with 0', async (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-main-test-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const manager = await DevManager.start();
  context.after(() => manager.stop());
  const acc = await manager.account('acme');
  writeFileSync(join(directory, 'ca.pem'), manager.serverCa);
  const { child, lines, exited } = run(context, {
    ACCOUNT_ID: acc.id,
    DELEGATE_TOKEN: acc.token,
    DELEGATE_NAME: 'edge-1',
    MANAGER_HOST_AND_PORT: manager.publicUrl,
    SALLYPORT_EXTRA_CA_FILE: join(directory, 'ca.pem'),
    DELEGATE_HEALTH_PORT: '0',
    DELEGATE_LOG_SPOOL_DIRECTORY: join(directory, 'spool'),
    PATH: '/usr/bin:/bin',
  });
  const script = `echo $$ > ${directory}/started; while [ ! -e ${directory}/go ]; do sleep 0.02; done; echo "done; \${DELEGATE_TOKEN:-no token}"`;
  const body = { type: 'SHELL_SCRIPT', data: { script } };
  const { id } = await manager.must('POST', `/ng/api/tasks?accountIdentifier=${acc.id}`, body, acc.adminKey);
  const task = () => manager.must('GET', `/ng/api/tasks/${id}?accountIdentifier=${acc.id}`, undefined, acc.adminKey);
  await eventually('the task runs', async () => String((await task())['status']) === 'RUNNING', 10_000);
  child.kill('SIGTERM');
  await eventually('the delegate is stopping', () => lines.some((line) => line.includes('stopping')));
  child.kill('SIGTERM');
  writeFileSync(join(directory, 'go'), '');
  assert.equal(await exited, 0);
  const { status, result } = await task();
  assert.deepEqual([status, result?.['stdout']], ['SUCCEEDED', 'done; no token\n']);
  assert.ok(!lines.join('').includes(acc.token));
});
