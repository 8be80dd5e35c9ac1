import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { converse, DevManager, type RawTlsOptions, rawTls, TestAuthority } from '@sallyport/dev-env';
import type { IssuedPair } from '@sallyport/trust';

// A resumed session is Node's word "authorized" without a look at the certificate, under whatever trust it was made.
// So no session of ours is ever resumed: not by its account, and not by anybody else.

let dev: DevManager;
let acmeCa: TestAuthority;
let acmeClient: IssuedPair;
let betaClient: IssuedPair;

before(async () => {
  dev = await DevManager.start({ environment: { SALLYPORT_TLS_MIN_VERSION: '1.2' } });
  acmeCa = await TestAuthority.create('Acme CA');
  const betaCa = await TestAuthority.create('Beta CA');
  acmeClient = await acmeCa.client('delegate');
  betaClient = await betaCa.client('delegate');
  await dev.account('acme', { caCertificates: acmeCa.certificatePem, mode: 'LOOSE' });
  await dev.account('beta', { caCertificates: betaCa.certificatePem, mode: 'LOOSE' });
});
after(() => dev.stop());

type Version = 'TLSv1.2' | 'TLSv1.3';

const at = (account: string) => `${account}.agent.localhost`;

/** The sessions that a client can have got out of a connection: those given, and the one that it holds itself. */
async function sessionsOf(options: Omit<RawTlsOptions, 'port' | 'onSession'>): Promise<Buffer[]> {
  const sessions: Buffer[] = [];
  const socket = await rawTls({
    ...options,
    port: dev.manager.mtlsAddress.port,
    onSession: (session) => sessions.push(session),
  });
  // Tickets of TLS 1.3 come after the handshake: with the first answer at the latest.
  await converse(socket, request(options.serverName ?? 'localhost'));
  const held = socket.getSession();
  return held === undefined ? sessions : [...sessions, held];
}

async function knock(options: Omit<RawTlsOptions, 'port'>): Promise<{ resumed: boolean; answer: string }> {
  const socket = await rawTls({ ...options, port: dev.manager.mtlsAddress.port });
  const resumed = socket.isSessionReused();
  return { resumed, answer: await converse(socket, request(options.serverName ?? 'localhost')) };
}

function request(host: string): string {
  return `GET /healthz HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a session is not resumed, even by the client that made it (${version})`, async () => {
    const sessions = await sessionsOf({ serverName: at('acme'), certificate: acmeClient, version });
    assert.ok(sessions.length > 0, 'the client holds a session to offer');
    for (const session of sessions) {
      const again = await knock({ serverName: at('acme'), certificate: acmeClient, session, version });
      assert.equal(again.resumed, false);
      assert.match(again.answer, /^HTTP\/1.1 200/, 'the full handshake admits it');
    }
  });

  test(`a session of one account opens nothing at another, with no certificate or with its own (${version})`, async () => {
    for (const session of await sessionsOf({ serverName: at('acme'), certificate: acmeClient, version })) {
      await refusedWith('NO_CLIENT_CERTIFICATE', { serverName: at('beta'), session, version });
      await refusedWith('UNKNOWN_ISSUER', { serverName: at('beta'), certificate: acmeClient, session, version });
    }
    for (const session of await sessionsOf({ serverName: at('beta'), certificate: betaClient, version })) {
      await refusedWith('NO_CLIENT_CERTIFICATE', { serverName: at('acme'), session, version });
    }
  });

  test(`a session that was made without a certificate does not become an authorized one (${version})`, async () => {
    for (const session of await sessionsOf({ serverName: at('acme'), version })) {
      await refusedWith('NO_CLIENT_CERTIFICATE', { serverName: at('acme'), session, version });
    }
    for (const session of await sessionsOf({ serverName: null, version })) {
      await refusedWith('NO_CLIENT_CERTIFICATE', { serverName: at('acme'), session, version });
    }
  });

  test(`a session from before a change of the CA, or from before the end of the endpoint, is worth nothing (${version})`, async () => {
    const id = `rotating-${version.slice(-1)}`;
    const before = await TestAuthority.create('Before CA');
    const client = await before.client('delegate');
    await dev.account(id, { caCertificates: before.certificatePem, mode: 'LOOSE' });
    const sessions = await sessionsOf({ serverName: at(id), certificate: client, version });
    const endpoint = `/ng/api/agent/mtls/endpoint?accountIdentifier=${id}`;

    await dev.must('PATCH', endpoint, { caCertificates: acmeCa.certificatePem });
    for (const session of sessions) {
      await refusedWith('UNKNOWN_ISSUER', { serverName: at(id), certificate: client, session, version });
      await refusedWith('NO_CLIENT_CERTIFICATE', { serverName: at(id), session, version });
    }
    await dev.must('DELETE', endpoint);
    for (const session of sessions) {
      await refusedWith('UNKNOWN_ENDPOINT', { serverName: at(id), certificate: client, session, version });
    }
  });

  test(`the public listener resumes nothing either (${version})`, async () => {
    const sessions: Buffer[] = [];
    const { port } = dev.manager.publicAddress;
    const first = await rawTls({ port, serverName: 'localhost', version, onSession: (given) => sessions.push(given) });
    await converse(first, request('localhost'));
    const held = first.getSession();
    for (const session of held === undefined ? sessions : [...sessions, held]) {
      const again = await rawTls({ port, serverName: 'localhost', version, session });
      assert.equal(again.isSessionReused(), false);
      again.destroy();
    }
  });
}

test('TLS 1.2 cannot renegotiate', async () => {
  const socket = await rawTls({
    port: dev.manager.mtlsAddress.port,
    serverName: at('acme'),
    certificate: acmeClient,
    version: 'TLSv1.2',
  });
  socket.on('data', () => undefined);
  const outcome = await new Promise<Error | null>((resolve) => {
    socket.renegotiate({}, (error) => resolve(error));
    socket.once('close', () => resolve(new Error('closed')));
  });
  assert.notEqual(outcome, null);
  socket.destroy();
});

async function refusedWith(code: string, options: Omit<RawTlsOptions, 'port'> & { version: Version }): Promise<void> {
  const { resumed, answer } = await knock(options);
  assert.equal(resumed, false, `${code}: the session was resumed`);
  assert.match(answer, new RegExp(`"code":"${code}"`));
}
