// Among the first: takes as long as a dozen others.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type DevAccount, DevManager, eventually, TestAuthority } from '@sallyport/dev-env';
import { type DelegateDescription, readManifest } from '@sallyport/manifest';
import { encodeDelegateToken } from '@sallyport/protocol';

// A manifest is migrated by the command, and a real delegate process is started from what it then says: its variables,
// and its files below a folder that stands for the container's. It connects through the mTLS endpoint under STRICT.

const root = join(import.meta.dirname, '..');
const golden = join(root, 'packages/manifest/golden/migrate');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-migrated-'));
const at = (name: string) => join(folder, name);

let dev: DevManager;
let authority: TestAuthority;
const processes: ChildProcess[] = [];

before(async () => {
  dev = await DevManager.start();
  authority = await TestAuthority.create('ca');
  const { certificatePem, privateKeyPem } = await authority.client('d1');
  writeFileSync(at('client.crt'), certificatePem);
  writeFileSync(at('client.key'), privateKeyPem);
  writeFileSync(at('server-ca.crt'), dev.serverCa);
});
after(async () => {
  for (const child of processes) child.kill('SIGKILL');
  await dev.stop();
  rmSync(folder, { recursive: true });
});

const accountOf = (id: string) => dev.account(id, { caCertificates: authority.certificatePem, mode: 'LOOSE' });

/** A golden input with this control plane, the account and its token, written to a file of its own. */
function installed(account: DevAccount, name: string, input: string): string {
  const text = readFileSync(join(golden, name, input), 'utf8')
    .replaceAll('https://manager.example.com', dev.publicUrl)
    .replaceAll('acc-1', account.id)
    .replaceAll('ZXhhbXBsZQ==', encodeDelegateToken(account.token));
  const file = at(`${account.id}-${input}`);
  writeFileSync(file, text);
  return file;
}

async function migrate(account: DevAccount, file: string): Promise<void> {
  const command = ['manifest', 'migrate', file, '--certificate', at('client.crt'), '--key', at('client.key')];
  const bin = join(root, 'apps/cli/bin/sallyport.mjs');
  await promisify(execFile)(process.execPath, [bin, ...command, '--write'], {
    env: {
      PATH: process.env['PATH'],
      SALLYPORT_CONFIG_DIR: at('config'),
      SALLYPORT_URL: dev.publicUrl,
      SALLYPORT_API_KEY: account.adminKey,
      SALLYPORT_CA_FILE: at('server-ca.crt'),
    },
  });
}

/** Starts the delegate that a manifest describes; what mounts would do is done by files and by the paths to them. */
function start({ environment, files }: DelegateDescription): { child: ChildProcess; log: () => string } {
  const container = mkdtempSync(join(folder, 'container-'));
  const inside = new Map<string, string>();
  for (const { path, content, hostPath } of files) {
    const place = hostPath ?? join(container, basename(path));
    if (content !== undefined) writeFileSync(place, content, { mode: 0o400 });
    inside.set(path, place);
  }
  mkdirSync(join(container, 'home'));
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(root, 'apps/delegate/src/main.mjs')],
    {
      env: {
        PATH: process.env['PATH'],
        HOME: join(container, 'home'),
        ...Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, inside.get(value) ?? value])),
        // The control plane's own certificate is a development one; several delegates share this machine's ports.
        SALLYPORT_EXTRA_CA_FILE: at('server-ca.crt'),
        DELEGATE_HEALTH_PORT: '0',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  processes.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data));
  return { child, log: () => output };
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

function describedIn(file: string): DelegateDescription {
  const [delegate, ...others] = readManifest(readFileSync(file, 'utf8')).delegates;
  assert.ok(delegate);
  assert.deepEqual(others, []);
  return delegate;
}

async function connected({ id }: DevAccount) {
  const listed = await dev.must('POST', `/ng/api/delegate-setup/listDelegates?accountIdentifier=${id}`, {});
  for (const { delegateReplicas } of listed as unknown as Iterable<{ delegateReplicas: Replica[] }>) {
    const replica = delegateReplicas.find((each) => each.connected);
    if (replica !== undefined) return replica;
  }
  return undefined;
}

interface Replica {
  readonly connected: boolean;
  readonly transport: string;
  readonly certificate: { readonly subject: string } | null;
}

const cases: readonly [string, string, string][] = [
  ['the sample manifest', 'sample', 'input.yaml'],
  [
    'a manifest after the published instructions, followed by hand',
    'instructions-followed-to-the-letter',
    'input.yaml',
  ],
  ['a docker run command', 'docker-run', 'input.sh'],
];

for (const [index, [what, name, input]] of cases.entries()) {
  test(`${what}, migrated, starts a delegate that connects through the mTLS endpoint under STRICT`, async () => {
    const account = await accountOf(`acme-${index}`);
    const file = installed(account, name, input);
    await migrate(account, file);
    await dev.setMode(account.id, 'STRICT');
    const delegate = describedIn(file);
    assert.equal(delegate.environment['MANAGER_HOST_AND_PORT'], dev.mtlsUrl(account.id));
    const { child } = start(delegate);
    const replica = await eventually('the delegate connects', () => connected(account));
    assert.deepEqual([replica.transport, replica.certificate?.subject], ['MTLS', 'CN=d1']);
    await stop(child);
  });
}

test('before its migration the same manifest starts a delegate that STRICT refuses', async () => {
  const account = await accountOf('plain');
  const file = installed(account, 'sample', 'input.yaml');
  await dev.setMode(account.id, 'STRICT');
  const { child, log } = start(describedIn(file));
  await eventually('the delegate is told why', () => /accepts mTLS delegates only/.test(log()));
  assert.equal(await connected(account), undefined);
  await stop(child);
});
