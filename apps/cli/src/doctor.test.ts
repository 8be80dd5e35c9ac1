import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DevAccount, DevManager, TestAuthority } from '@sallyport/dev-env';
import type { Diagnosis } from '@sallyport/doctor';
import { encodeDelegateToken } from '@sallyport/protocol';
import { type Outcome, runCommand } from '../test/captured-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-doctor-cli-'));
let manager: DevManager;
let account: DevAccount;
let pair: { readonly certificatePem: string; readonly privateKeyPem: string };
// The command sets it, for its own process.
const resolverOptions = process.env['RES_OPTIONS'];

before(async () => {
  manager = await DevManager.start();
  const authority = await TestAuthority.create('Acme CA');
  account = await manager.account('acme', { caCertificates: authority.certificatePem, mode: 'STRICT' });
  pair = await authority.client('edge-1');
});
after(async () => {
  await manager.stop();
  rmSync(folder, { recursive: true, force: true });
  if (resolverOptions === undefined) delete process.env['RES_OPTIONS'];
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** The variables of a healthy delegate, whose files lie below `root`. */
function variables(root: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  file(`${root}/etc/mtls/client.crt`, pair.certificatePem);
  file(`${root}/etc/mtls/client.key`, pair.privateKeyPem);
  file(`${root}/ca.pem`, manager.serverCa);
  return {
    ACCOUNT_ID: account.id,
    DELEGATE_TOKEN: account.token,
    DELEGATE_NAME: 'edge-1',
    MANAGER_HOST_AND_PORT: manager.mtlsUrl('acme'),
    DELEGATE_CLIENT_CERTIFICATE_PATH: '/etc/mtls/client.crt',
    DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: '/etc/mtls/client.key',
    SALLYPORT_EXTRA_CA_FILE: '/ca.pem',
    ...more,
  };
}

async function doctor(args: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> {
  const outcome = await runCommand(['doctor', ...args], { environment, now: Date.now() });
  const [, ...lines] = pair.privateKeyPem.trim().split('\n').slice(0, -1);
  for (const secret of [account.token, encodeDelegateToken(account.token), ...lines]) {
    assert.ok(!`${outcome.stdout}${outcome.stderr}`.includes(secret), 'no secret is shown');
  }
  return outcome;
}

const here = (root: string) => ['--root', join(folder, root)];

test('a healthy delegate: every check is shown, and the exit code is 0', async () => {
  const { exit, stdout } = await doctor(here('healthy'), variables('healthy'));
  assert.equal(exit, 0, stdout);
  assert.match(stdout, /^ok {4}Environment +ACCOUNT_ID acme/m);
  assert.match(stdout, /^All is well: this delegate can connect to https:\/\/acme\.agent\.localhost/m);
  assert.ok(!stdout.includes('Manifest'), 'what does not apply is left out');
});

test('the exit code tells where the cause lies: the machine, the way, the admission, a service beside', async () => {
  const of = async (more: Record<string, string>) => (await doctor(here('codes'), variables('codes', more))).exit;
  assert.equal(await of({ DELEGATE_TOKEN: 'nonsense' }), 2);
  assert.equal(await of({ SALLYPORT_EXTRA_CA_FILE: '' }), 3);
  assert.equal(await of({ DELEGATE_TOKEN: '0'.repeat(32) }), 4);
  assert.equal(await of({ LOG_STREAMING_SERVICE_URL: 'https://localhost:1/log-service/' }), 1);
});

test('for a person the cause and the one thing to do come last; for a program all of it is JSON', async () => {
  const environment = variables('wrong-token', { DELEGATE_TOKEN: '0'.repeat(32) });
  const text = await doctor(here('wrong-token'), environment);
  assert.match(text.stdout, /^FAIL {2}Token +The manager says: No delegate token of account 'acme'/m);
  assert.match(text.stdout, /^skip {2}WebSocket +Not looked at: "Token" comes first\.$/m);
  assert.match(text.stdout, /\nCause: Token\. The manager says: .*\nDo: {4}Check ACCOUNT_ID and DELEGATE_TOKEN/);
  const json = await doctor([...here('wrong-token'), '--json'], environment);
  const { cause, status, checks } = JSON.parse(json.stdout) as Diagnosis;
  assert.deepEqual([json.exit, status, cause?.id, cause?.status], [4, 'fail', 'token', 'fail']);
  assert.equal(checks.find(({ id }) => id === 'web-socket')?.because, 'token');
});

test('out of a pod: its environment from a file, and who has to be able to read the files', async () => {
  const lines = Object.entries(variables('pod')).map(([name, value]) => `${name}=${value}`);
  const envFile = file('pod.env', `# kubectl exec\n${lines.join('\n')}\nexport HOME=/root\n`);
  const healthy = await doctor(['--env-file', envFile, ...here('pod')], { ACCOUNT_ID: 'of this machine' });
  assert.equal(healthy.exit, 0, healthy.stdout);
  const uid = String((process.getuid?.() ?? 0) + 1000);
  const denied = await doctor(['--env-file', envFile, ...here('pod'), '--user', uid]);
  assert.equal(denied.exit, 2);
  assert.match(denied.stdout, /Cause: (Extra CA file|Certificate files)\..*user \d+ may not/);
});

test('from a manifest with its Secrets, without writing anything, and with what is missing from a folder', async () => {
  const environment = variables('mounted');
  const env = Object.entries(environment).map(([name, value]) => `            - {name: ${name}, value: "${value}"}\n`);
  const manifest = (secret: string) => `${secret}apiVersion: apps/v1
kind: Deployment
metadata: {name: edge-1, namespace: delegates}
spec:
  selector: {matchLabels: {"harness.io/name": edge-1}}
  template:
    metadata: {labels: {"harness.io/name": edge-1}}
    spec:
      containers:
        - name: delegate
          image: harness/delegate:25.09.86700
          env:
${env.join('')}          volumeMounts:
            - {name: client-certificate, mountPath: /etc/mtls, readOnly: true}
      volumes:
        - {name: client-certificate, secret: {secretName: edge-1-client-certificate}}
`;
  const secret = `apiVersion: v1
kind: Secret
metadata: {name: edge-1-client-certificate, namespace: delegates}
data: {client.crt: ${btoa(pair.certificatePem)}, client.key: ${btoa(pair.privateKeyPem)}}
---
`;
  const whole = file('whole/delegate.yaml', manifest(secret));
  mkdirSync(join(folder, 'only-ca'));
  writeFileSync(join(folder, 'only-ca/ca.pem'), manager.serverCa);
  const healthy = await doctor(['--from-manifest', whole, ...here('only-ca')]);
  assert.equal(healthy.exit, 0, healthy.stdout);
  assert.deepEqual(readdirSync(join(folder, 'whole')), ['delegate.yaml']);
  assert.deepEqual(readdirSync(join(folder, 'only-ca')), ['ca.pem']);
  const without = file('without/delegate.yaml', manifest(''));
  assert.match((await doctor(['--from-manifest', without, ...here('only-ca')])).stdout, /Cause: Certificate files\./);
  assert.equal((await doctor(['--from-manifest', without, ...here('mounted')])).exit, 0);
  const token = file('token.env', `DELEGATE_TOKEN=${'0'.repeat(32)}\n`);
  assert.equal((await doctor(['--from-manifest', whole, ...here('only-ca'), '--env-file', token])).exit, 4);
  const unknown = await doctor(['--from-manifest', whole, '--delegate', 'edge-9']);
  assert.equal(unknown.exit, 2);
  assert.match(unknown.stderr, /describes no delegate "edge-9"[\s\S]*edge-1/);
});

test('an option that cannot be meant is refused before anything is looked at', async () => {
  assert.match((await doctor(['--user', 'root'])).stderr, /Give UID or UID:GID/);
  assert.match((await doctor(['--delegate', 'edge-1'])).stderr, /--delegate needs --from-manifest/);
  assert.match((await doctor(['--env-file', file('empty.env', '\n')])).stderr, /holds no NAME=value line/);
});

test('a manifest that cannot be read ends it with 2 and says what to do about it, a named pipe too', async () => {
  const circular =
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: &s {containers: &c [*c], volumes: *s}}}\n';
  for (const [text, part] of [
    ['', /is no manifest of a delegate in a form that is known here/],
    ['hello: 1\n', /is no manifest of a delegate in a form that is known here/],
    ['apiVersion: apps/v1\nkind: Deployment\nspec: [\n', /unreadable\.yaml:\d+:\d+: /],
    [circular, /delegate/],
  ] as const) {
    const { exit, stdout, stderr } = await doctor(['--from-manifest', file('unreadable.yaml', text)]);
    assert.deepEqual([exit, stdout], [2, ''], stderr);
    assert.match(stderr, part);
    assert.match(stderr, /remedy: (Name |Mend it there)/);
    assert.ok(!stderr.includes('Nothing was written'));
  }
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const option of ['--from-manifest', '--env-file']) {
    const { exit, stderr } = await doctor([option, pipe]);
    assert.equal(exit, 2);
    assert.match(stderr, /pipe is a named pipe/);
  }
});

test("our own manifest brings the manager's CA along: nothing else is needed to look at it", async () => {
  const given = ['--name', 'edge-1', '--account', account.id, '--image', 'harness/delegate:25.09.86700'];
  const files = [
    ...[
      '--certificate',
      file('own/client.crt', pair.certificatePem),
      '--key',
      file('own/client.key', pair.privateKeyPem),
    ],
    ...['--token-file', file('own/token', account.token), '--extra-ca', file('own/ca.pem', manager.serverCa)],
  ];
  const made = await runCommand(
    ['manifest', 'generate', ...given, '--endpoint', manager.mtlsUrl('acme'), ...files, '--out', join(folder, 'made')],
    { now: Date.now() },
  );
  assert.equal(made.exit, 0, made.stderr);
  const { exit, stdout } = await doctor(['--from-manifest', join(folder, 'made/harness-delegate.yaml')]);
  assert.equal(exit, 0, stdout);
  assert.match(stdout, /^ok {4}Extra CA file +\/opt\/harness-delegate\/ca-bundle can be used\.$/m);
});
