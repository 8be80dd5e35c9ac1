import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { connect, createServer, getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { converse, eventually, rawTls, TestAuthority } from '@sallyport/dev-env';
import type { IssuedPair } from '@sallyport/trust';
import { clientTrust } from '../src/gateway/endpoint-contexts.ts';
import { Gate, type GatewayRig, gatewayRig } from './gateway-rig.ts';

// What stands between a ClientHello and the endpoint's CAs: the lookup of its name. It may fail, hang, or find nothing.

let acmeCa: TestAuthority;
let client: IssuedPair;
let webCa: TestAuthority;
let webClient: IssuedPair;
const roots = getCACertificates('default');

before(async () => {
  acmeCa = await TestAuthority.create('Acme CA');
  client = await acmeCa.client('delegate');
  // Stands for a public web CA: whoever verifies against "the default roots" accepts what it issued.
  webCa = await TestAuthority.create('Public Web CA');
  webClient = await webCa.client('anybody');
  setDefaultCACertificates([...roots, webCa.certificatePem]);
});
after(() => setDefaultCACertificates(roots));

const ACME = 'acme.agent.localhost';

async function knock(
  { ports: { mtls: port } }: Pick<GatewayRig, 'ports'>,
  serverName: string | null = ACME,
  certificate: IssuedPair = client,
): Promise<string> {
  const socket = await rawTls({ port, serverName, certificate });
  return converse(socket, `GET / HTTP/1.1\r\nhost: ${serverName ?? 'x'}\r\nconnection: close\r\n\r\n`);
}

async function rigWithAcme(t: Parameters<typeof gatewayRig>[0], options: Parameters<typeof gatewayRig>[1] = {}) {
  const rig = await gatewayRig(t, options);
  rig.endpoints.set('acme', { caCertificates: acmeCa.certificatePem });
  return rig;
}

test('a database that fails refuses the handshake, and the next one is judged anew', async (t) => {
  const rig = await rigWithAcme(t);
  rig.endpoints.gate = async () => {
    throw new Error('the database is away');
  };
  await assert.rejects(knock(rig), 'nobody is let in on what is not known');
  rig.endpoints.gate = () => {
    throw new Error('not even a promise');
  };
  await assert.rejects(knock(rig));
  rig.endpoints.gate = async () => undefined;
  assert.match(await knock(rig), /admitted$/);
});

test('a database that hangs holds a handshake for a bounded time, and not the next one', async (t) => {
  const rig = await rigWithAcme(t, { lookupTimeoutMs: 100 });
  rig.endpoints.gate = () => new Promise(() => undefined);
  const started = performance.now();
  await Promise.all([assert.rejects(knock(rig)), assert.rejects(knock(rig)), assert.rejects(knock(rig))]);
  assert.ok(performance.now() - started < 2_000);
  rig.endpoints.gate = async () => undefined;
  assert.match(await knock(rig), /admitted$/, 'the question that hung does not stand for the next');
  await eventually('no connection is left behind', () => rig.connections.size === 0);
});

test('a database that hangs between handshake and admission admits nobody', async (t) => {
  const rig = await rigWithAcme(t, { lookupTimeoutMs: 100 });
  const gate = new Gate();
  rig.endpoints.gate = gate.pass;
  const socket = rawTls({ port: rig.ports.mtls, serverName: ACME, certificate: client });
  await gate.reached;
  // The name is found, and forgotten again before the second look.
  rig.endpoints.gate = () => new Promise(() => undefined);
  gate.open();
  const connected = await socket;
  await rig.bus.deliver({ type: 'trust-changed', accountId: 'acme' });
  await once(connected, 'close');
  assert.equal(rig.admitted.length, 0);
});

test('a client that is gone before its name was found leaves nothing behind', async (t) => {
  const rig = await rigWithAcme(t);
  const gate = new Gate();
  rig.endpoints.gate = gate.pass;
  const impatient = connect({ host: '127.0.0.1', port: rig.ports.mtls, servername: ACME });
  await gate.reached;
  impatient.destroy();
  await once(impatient, 'close');
  gate.open();
  rig.endpoints.gate = async () => undefined;
  assert.match(await knock(rig), /admitted$/);
  await eventually('no connection is left behind', () => rig.connections.size === 0);
  assert.deepEqual(rig.admitted.length, 1);
});

test('an endpoint whose bundle holds no CA that can be read tells its clients so and admits nobody', async (t) => {
  const rig = await gatewayRig(t);
  const old = await TestAuthority.create('Old CA', { now: new Date(Date.now() - 20 * 86_400_000), days: 10 });
  for (const caCertificates of ['', 'garbage', old.certificatePem]) {
    await rig.change('acme', { caCertificates });
    for (const certificate of [client, webClient]) {
      const answer = await knock(rig, ACME, certificate);
      assert.match(answer, /^HTTP\/1.1 401 /, caCertificates);
      assert.doesNotMatch(answer, /admitted/);
    }
    const bare = await rawTls({ port: rig.ports.mtls, serverName: ACME });
    assert.match(await converse(bare, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'), /NO_CLIENT_CERTIFICATE/);
  }
  assert.equal(rig.admitted.length, 0);
});

test('a certificate of a public web CA is worth nothing: at an endpoint, under an unknown name, without a name', async (t) => {
  const rig = await rigWithAcme(t);
  assert.equal(await authorizedByDefaultRoots(), true, 'the CA made here does count as one of them');
  // Refused it would be in any case, for the name; here it is OpenSSL's own word that counts.
  const listener = await rig.mtlsListener();
  const authorized: boolean[] = [];
  listener.server.prependListener('secureConnection', (socket) => authorized.push(socket.authorized));
  const there = { ports: { public: 0, mtls: (listener.server.address() as AddressInfo).port } };
  for (const replaced of [false, true]) {
    if (replaced) listener.replaceServerPair(await rig.newServerPair());
    assert.match(await knock(there, ACME, webClient), /UNKNOWN_ISSUER/);
    for (const name of ['nobody.agent.localhost', 'localhost', null]) {
      assert.match(await knock(there, name, webClient), /UNKNOWN_ENDPOINT/, String(name));
    }
    assert.deepEqual(authorized.splice(0), [false, false, false, false], `server certificate replaced: ${replaced}`);
  }
});

test('a new server certificate is used by the next handshake, and keeps resumption off', async (t) => {
  const rig = await rigWithAcme(t);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const sessions: Buffer[] = [];
    const options = { port: rig.ports.mtls, serverName: ACME, certificate: client, version } as const;
    const first = await rawTls(options);
    const pair = await rig.newServerPair();
    rig.gateway.replaceServerPair(pair);
    const second = await rawTls({ ...options, onSession: (session) => sessions.push(session) });
    assert.notEqual(
      first.getPeerX509Certificate()?.fingerprint256,
      second.getPeerX509Certificate()?.fingerprint256,
      'another certificate',
    );
    await converse(second, `GET / HTTP/1.1\r\nhost: ${ACME}\r\nconnection: close\r\n\r\n`);
    const held = second.getSession();
    if (held !== undefined) sessions.push(held);
    for (const session of sessions) {
      const again = await rawTls({ ...options, session });
      assert.equal(again.isSessionReused(), false, version);
      again.destroy();
    }
    assert.equal(first.destroyed, false, 'a live connection keeps the certificate that it began with');
    first.destroy();
  }
});

test('there is no way to ask for no CA at all, which would mean the public ones', () => {
  assert.throws(() => clientTrust([]), /admits nobody/);
});

/** What a TLS server that was given no CA makes of the web CA's certificate. */
async function authorizedByDefaultRoots(): Promise<boolean> {
  const { certificatePem: cert, privateKeyPem: key } = client;
  const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const mine = await rawTls({ port, serverName: 'localhost', certificate: webClient });
  const [socket] = await accepted;
  const { authorized } = socket;
  socket.destroy();
  mine.destroy();
  server.close();
  return authorized;
}
