// Among the first: takes as long as a dozen others.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DevManager, eventually, TestAuthority } from '@sallyport/dev-env';
import { runCommand } from '../test/captured-terminal.ts';
import { bin, outcomeOf, runProcess, startProcess } from '../test/cli-process.ts';
import { onTerminal, terminalUnavailable } from '../test/pseudo-terminal.ts';

let manager: DevManager;
let folder: string;
let environment: Record<string, string>;
before(async () => {
  manager = await DevManager.start();
  folder = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  await writeFile(join(folder, 'server-ca.crt'), manager.serverCa);
  environment = { SALLYPORT_CONFIG_DIR: join(folder, 'config') };
});
after(async () => {
  await manager.stop();
  await rm(folder, { recursive: true });
});

const login = (...more: string[]) => [
  'login',
  '--url',
  manager.publicUrl,
  '--ca',
  join(folder, 'server-ca.crt'),
  ...more,
];

/** Runs a command that must succeed. */
async function sallyport(...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await runProcess(args, environment);
  assert.equal(exit, 0, `${args.join(' ')}: ${stderr}`);
  return stdout;
}

test('from login to a STRICT endpoint and back, as a person does it', async () => {
  const { exit, stdout, stderr } = await runProcess(
    login('--api-key-stdin', '--account', 'acme'),
    environment,
    `${manager.operatorKey}\n`,
  );
  assert.equal(exit, 0, stderr);
  assert.match(stdout, /^Logged in to https:\/\/localhost:\d+ as ".+" \(OPERATOR\), account "acme"\.\n$/);
  assert.equal((stdout + stderr).includes(manager.operatorKey), false);

  assert.match(await sallyport('account', 'create', 'acme'), /^Account: acme\n/);
  assert.match(await sallyport('account', 'enable-mtls', 'acme'), /^mTLS: +enabled$/m);

  const authority = await TestAuthority.create('Acme CA');
  const caCertificates = join(folder, 'ca.crt');
  await writeFile(caCertificates, authority.certificatePem);
  const created = await sallyport('endpoint', 'create', '--prefix', 'acme', '--ca-certificates', caCertificates);
  assert.match(created, new RegExp(`^URL: +${manager.mtlsUrl('acme')}$`, 'm'));
  assert.match(created, /^Mode: +LOOSE$/m);
  assert.match(created, /^CA certificates: CN=Acme CA \(until /m);

  const shown = JSON.parse(await sallyport('endpoint', 'show', '--json'));
  assert.deepEqual(Object.keys(shown).sort(), ['accountId', 'caCertificates', 'fqdn', 'mode', 'uuid']);
  assert.equal(shown.caCertificates, authority.certificatePem);

  assert.match(await sallyport('endpoint', 'mode', 'strict'), /^Mode: +STRICT$/m);
  assert.match(await sallyport('token', 'create', 'production'), /^Value: +[A-Za-z0-9+/]{43}=$/m);
  assert.equal(await sallyport('endpoint', 'delete', '--yes'), 'The mTLS endpoint of account "acme" is deleted.\n');
});

test('login asks for the key on a terminal and never shows it', { skip: terminalUnavailable }, async (t) => {
  const config = join(folder, 'asked');
  const terminal = onTerminal(t, [process.execPath, bin, ...login()], { SALLYPORT_CONFIG_DIR: config });
  await terminal.shows('API key (not shown): ');
  terminal.type(`${manager.operatorKey}\r`);
  assert.equal(await terminal.exit, 0, terminal.screen());
  assert.match(terminal.screen(), /Logged in to/);
  assert.equal(terminal.screen().includes(manager.operatorKey), false);
  const { profiles } = JSON.parse(await readFile(join(config, 'profiles.json'), 'utf8'));
  assert.equal(profiles.default.key, manager.operatorKey);
});

test('login with a key that is not valid stores nothing', async () => {
  const config = { SALLYPORT_CONFIG_DIR: join(folder, 'refused') };
  const { exit, stderr } = await runCommand(login('--api-key-stdin'), {
    environment: config,
    stdin: 'sat.nobody.secret',
  });
  assert.equal(exit, 4, stderr);
  await assert.rejects(readFile(join(config.SALLYPORT_CONFIG_DIR, 'profiles.json')), { code: 'ENOENT' });
});

test('Ctrl-C while task run waits aborts the task', async () => {
  const { id, adminKey } = await manager.account('waiting');
  const variables = {
    ...environment,
    SALLYPORT_URL: manager.publicUrl,
    SALLYPORT_CA_FILE: join(folder, 'server-ca.crt'),
    SALLYPORT_API_KEY: adminKey,
  };
  const child = startProcess(['task', 'run', '--', 'uname'], variables);
  const exited = outcomeOf(child);
  await hasTask(id, child);
  child.kill('SIGINT');
  const { exit, stdout, stderr } = await exited;
  assert.equal(exit, 130, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /^Aborting task \S+ \.\.\.\nTask \S+ is ABORTED\.\n$/);
});

/** Resolves when the account has a task; stops asking when nobody is left who could create one. */
async function hasTask(account: string, creator: ChildProcess): Promise<void> {
  await eventually('the task is there', async () => {
    const tasks = await manager.must('GET', `/ng/api/tasks?accountIdentifier=${account}`);
    return tasks[0] !== undefined || creator.exitCode !== null;
  });
}

test('serve runs the control plane until SIGTERM and shows its first key beside the log, not in it', async () => {
  const variables = {
    SALLYPORT_DATA_DIR: join(folder, 'data'),
    SALLYPORT_PUBLIC_LISTEN: '127.0.0.1:0',
    SALLYPORT_MTLS_LISTEN: '127.0.0.1:0',
  };
  const child = startProcess(['serve'], variables);
  const ended = outcomeOf(child);
  assert.ok(child.stdout);
  let log = '';
  while (!log.includes('accepts connections')) {
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    log += chunk.toString();
  }
  child.kill('SIGTERM');
  const { exit, stdout, stderr } = await ended;
  assert.equal(exit, 0, stderr);
  const key = /^ {2}(sat\.\S+)$/m.exec(stderr)?.[1];
  assert.ok(key !== undefined, stderr);
  assert.equal(stdout.includes(key), false);
});

test('serve names every setting that is wrong and does not start', async () => {
  const variables = { SALLYPORT_DATA_DIR: join(folder, 'unused'), SALLYPORT_LOG_LEVLE: 'info' };
  const { exit, stderr } = await runCommand(['serve', '--public-listen', 'everywhere'], {
    environment: variables,
  });
  assert.equal(exit, 2, stderr);
  assert.match(stderr, /SALLYPORT_LOG_LEVLE is not a setting/);
  assert.match(stderr, /SALLYPORT_PUBLIC_LISTEN: "everywhere" is not HOST:PORT/);
});
