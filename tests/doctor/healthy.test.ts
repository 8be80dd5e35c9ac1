import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { DevAgent, KeptConnection, TestAuthority } from '@sallyport/dev-env';
import { type CheckId, type DoctorInput, diagnose, machineFiles } from '@sallyport/doctor';
import { encodeDelegateToken } from '@sallyport/protocol';
import { certificateSecret, fromManifest } from './cases-environment.ts';
import { httpProxy, TUNNELS, tlsProxy, withPassword } from './proxies.ts';
import { Rig } from './rig.ts';
import { tcpServer } from './servers.ts';

let rig: Rig;

before(async () => {
  rig = await Rig.start();
});
after(() => rig.close());

/** Nothing fails, nothing warns, and nothing is skipped but what this set-up does not have. */
async function assertHealthy(input: DoctorInput, without: readonly CheckId[]): Promise<void> {
  const { checks, status } = await diagnose(input);
  const seen = (wanted: string) => checks.filter((check) => check.status === wanted);
  assert.deepEqual([...seen('fail'), ...seen('warn')], []);
  assert.equal(status, 'pass');
  assert.deepEqual(
    seen('skipped').map(({ id }) => id),
    without,
  );
}

const NO_MTLS: readonly CheckId[] = ['file-access', 'file-mode', 'file-rotation', 'pair', 'chain', 'purpose'];

test('a healthy delegate with mTLS passes every check', async () => {
  await assertHealthy({ environment: rig.mtls() }, ['manifest', 'proxy']);
});

test('a healthy delegate of a STRICT account, with an intermediate and a base64 token, passes every check', async () => {
  const intermediate = await TestAuthority.create('Acme issuing CA', { issuer: rig.authority });
  const leaf = await intermediate.client('edge-1');
  const environment = {
    ...rig.mtls({}, { ...leaf, certificatePem: leaf.certificatePem + intermediate.certificatePem }),
    ACCOUNT_ID: rig.strict.id,
    DELEGATE_TOKEN: encodeDelegateToken(rig.strict.token),
    MANAGER_HOST_AND_PORT: `${rig.manager.mtlsUrl('strict')}/`,
  };
  await assertHealthy({ environment }, ['manifest', 'proxy']);
});

test('a healthy delegate without mTLS passes every check', async () => {
  await assertHealthy({ environment: rig.plain() }, [
    'manifest',
    ...NO_MTLS,
    'validity',
    'proxy',
    'client-certificate',
  ]);
});

test('a healthy delegate that polls, by the address with a base path, passes every check', async () => {
  const environment = rig.plain({ POLL_FOR_TASKS: 'true', MANAGER_HOST_AND_PORT: `${rig.manager.publicUrl}/gateway` });
  const without: CheckId[] = ['manifest', ...NO_MTLS, 'validity', 'proxy', 'client-certificate', 'web-socket'];
  await assertHealthy(
    { environment: { ...environment, LOG_STREAMING_SERVICE_URL: `${rig.manager.publicUrl}/log-service/` } },
    without,
  );
});

test('a healthy delegate behind a proxy with a password passes every check', async () => {
  const authorization = `Basic ${btoa('ann:hunter2-hunter2')}`;
  const port = await httpProxy(rig.closing, withPassword(authorization, TUNNELS));
  const proxy = {
    PROXY_HOST: 'localhost',
    PROXY_PORT: String(port),
    PROXY_USER: 'ann',
    PROXY_PASSWORD: 'hunter2-hunter2',
  };
  await assertHealthy({ environment: rig.mtls(proxy) }, ['manifest']);
});

test('a healthy delegate behind a proxy that is spoken to over TLS passes every check', async () => {
  const port = await tlsProxy(rig.closing, rig.server, TUNNELS);
  const cas = rig.file('cas.pem', rig.manager.serverCa + rig.serverAuthority.certificatePem);
  const proxy = { HTTPS_PROXY: `https://localhost:${port}`, SALLYPORT_EXTRA_CA_FILE: cas };
  await assertHealthy({ environment: rig.mtls(proxy) }, ['manifest']);
});

test('a proxy that is out of use for this host does no harm', async () => {
  const port = await tcpServer(rig.closing, () => undefined);
  await assertHealthy(
    { environment: rig.mtls({ PROXY_HOST: 'localhost', PROXY_PORT: String(port), NO_PROXY: '.localhost' }) },
    ['manifest', 'proxy'],
  );
});

test('a mounted Secret, read by the user of the pod below a folder that stands for its root, passes every check', async () => {
  const root = dirname(rig.file('.keep', ''));
  const mount = join(root, 'etc/mtls');
  mkdirSync(join(mount, '..2026_11_21'), { recursive: true });
  symlinkSync('..2026_11_21', join(mount, '..data'));
  for (const [name, text] of [
    ['client.crt', rig.client.certificatePem],
    ['client.key', rig.client.privateKeyPem],
  ] as const) {
    writeFileSync(join(mount, '..2026_11_21', name), text, { mode: 0o400 });
    symlinkSync(`..data/${name}`, join(mount, name));
  }
  writeFileSync(join(root, 'ca.pem'), rig.manager.serverCa);
  const environment = rig.mtls({
    DELEGATE_CLIENT_CERTIFICATE_PATH: '/etc/mtls/client.crt',
    DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: '/etc/mtls/client.key',
    SALLYPORT_EXTRA_CA_FILE: '/ca.pem',
  });
  const user = { uid: process.getuid?.() ?? 0, gids: [] };
  await assertHealthy({ environment, files: machineFiles({ root, user }) }, ['manifest', 'proxy']);
});

test('a manifest with its Secrets passes every check, and nothing of it is written anywhere', async () => {
  const { text: _text, ...described } = fromManifest(rig, certificateSecret(rig));
  await assertHealthy(described, ['file-mode', 'proxy']);
});

test('looking changes nothing: no delegate appears, and one of the same name keeps its stream and its place in the list', async () => {
  const { port } = new URL(rig.manager.publicUrl);
  const connect = () => KeptConnection.open({ port: Number(port), serverName: 'localhost' });
  const listing = () =>
    rig.manager.must(
      'POST',
      `/ng/api/delegate-setup/listDelegates?accountIdentifier=${rig.acme.id}`,
      { filterType: 'Delegate' },
      rig.acme.adminKey,
    );
  await diagnose({ environment: rig.plain() });
  assert.deepEqual(await listing(), []);
  const agent = new DevAgent(await connect(), { accountId: rig.acme.id, token: rig.acme.token, name: 'edge-1' });
  await agent.register();
  const stream = await agent.on(await connect()).stream();
  const before = await listing();
  await diagnose({ environment: rig.plain() });
  await diagnose({ environment: rig.mtls() });
  assert.equal(stream.isOpen, true);
  assert.deepEqual(stream.events, []);
  const identity = (list: unknown) =>
    (list as { name: string; delegateReplicas: { uuid: string }[] }[]).map(({ name, delegateReplicas }) => [
      name,
      delegateReplicas.map(({ uuid }) => uuid),
    ]);
  assert.deepEqual(identity(await listing()), identity(before));
  const refusals = await rig.manager.must(
    'GET',
    `/ng/api/agent/mtls/refusals?accountIdentifier=${rig.acme.id}`,
    undefined,
    rig.acme.adminKey,
  );
  assert.deepEqual(refusals, []);
  stream.socket.close();
});

test('with everything silent it is over within five seconds', async () => {
  const port = await tcpServer(rig.closing, () => undefined);
  const logPort = await tcpServer(rig.closing, () => undefined);
  const environment = {
    ...rig.elsewhere(port, { base: rig.mtls() }),
    LOG_STREAMING_SERVICE_URL: `https://localhost:${logPort}/`,
  };
  const started = performance.now();
  const { cause } = await diagnose({ environment });
  assert.equal(cause?.id, 'tls');
  assert.ok(performance.now() - started < 5000);
});
