import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { before, type TestContext, test } from 'node:test';
import { createSecureContext, createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { rawTls, TestAuthority } from '@sallyport/dev-env';
import { type IssuedPair, readCaBundle } from '@sallyport/trust';
import type { LiveEndpoint } from '../endpoints/trust-directory.ts';
import { NO_POLICY } from '../revocation/account-policy.ts';
import { Admission } from './admission.ts';

// Resumption is off on our listeners. This is the second line: servers here have it on, as Node has it by default, and
// the verdict must not be taken in by what Node then says of a socket.

let ca: TestAuthority;
let otherCa: TestAuthority;
let client: IssuedPair;

before(async () => {
  ca = await TestAuthority.create('Acme CA');
  otherCa = await TestAuthority.create('Acme CA');
  client = await ca.client('delegate');
});

const NAME = 'acme.agent.localhost';

function endpoint(...authorities: readonly TestAuthority[]): LiveEndpoint {
  const caCertificates = authorities.map(({ certificatePem }) => certificatePem).join('');
  return {
    accountId: 'acme',
    fqdn: NAME,
    mode: 'STRICT',
    caCertificates,
    authorities: readCaBundle(caCertificates, new Date()).authorities,
    trustKey: caCertificates,
    policy: NO_POLICY,
  };
}

async function serve(
  t: TestContext,
  options: TlsOptions,
): Promise<{ server: Server; port: number; next(): Promise<TLSSocket> }> {
  const server = createServer({
    cert: client.certificatePem,
    key: client.privateKeyPem,
    ca: ca.certificatePem,
    requestCert: true,
    rejectUnauthorized: false,
    ...options,
  });
  const sockets: TLSSocket[] = [];
  server.on('secureConnection', (socket) => sockets.push(socket));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const next = async () => {
    const [socket] = (await once(server, 'secureConnection')) as [TLSSocket];
    socket.on('error', () => socket.destroy());
    return socket;
  };
  return { server, port: (server.address() as AddressInfo).port, next };
}

/** Both ends of a connection, and a session of it. */
async function meet(
  { port, next }: { port: number; next(): Promise<TLSSocket> },
  options: { certificate?: IssuedPair; session?: Buffer; version: 'TLSv1.2' | 'TLSv1.3' },
): Promise<{ socket: TLSSocket; session: Buffer }> {
  const accepted = next();
  let given: (session: Buffer) => void = () => undefined;
  const session = new Promise<Buffer>((resolve) => {
    given = resolve;
  });
  const mine = await rawTls({ port, serverName: NAME, onSession: given, ...options });
  const socket = await accepted;
  // A resumed connection of TLS 1.2 gives no new one.
  const held = mine.isSessionReused() ? Buffer.alloc(0) : await session;
  return { socket, session: held };
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a session resumed without a certificate counts as a client without one (${version})`, async (t) => {
    const peer = await serve(t, {});
    const first = await meet(peer, { version });
    const again = await meet(peer, { version, session: first.session });
    assert.equal(again.socket.isSessionReused(), true, 'the server does resume');
    const { verdict } = new Admission({ now: () => new Date() }).judge(again.socket, NAME, endpoint(ca));
    assert.equal(verdict.admitted, false);
    assert.equal(verdict.admitted ? null : verdict.reason, 'NO_CLIENT_CERTIFICATE');
  });

  test(`a session from before a change of the CA is not admitted after it (${version})`, async (t) => {
    let trusted = ca;
    const peer = await serve(t, {
      SNICallback: (_name, done) => {
        const { certificatePem: cert, privateKeyPem: key } = client;
        done(null, createSecureContext({ cert, key, ca: trusted.certificatePem }));
      },
    });
    const first = await meet(peer, { version, certificate: client });
    assert.equal(first.socket.authorized, true);
    trusted = otherCa;
    const full = await meet(peer, { version, certificate: client });
    assert.equal(full.socket.authorized, false, 'a full handshake is not authorized any more');
    const again = await meet(peer, { version, certificate: client, session: first.session });
    assert.equal(again.socket.isSessionReused(), true, 'the server does resume');
    assert.equal(again.socket.authorized, true, 'and Node still calls it authorized');
    const { verdict } = new Admission({ now: () => new Date() }).judge(again.socket, NAME, endpoint(otherCa));
    assert.equal(verdict.admitted, false);
  });
}

test('the CA that an admitted certificate came from is told by its key, not by its name', async (t) => {
  const peer = await serve(t, { ca: [ca.certificatePem, otherCa.certificatePem] });
  const admission = new Admission({ now: () => new Date() });
  for (const [authority, bundle] of [
    [ca, endpoint(otherCa, ca)],
    [otherCa, endpoint(ca, otherCa)],
  ] as const) {
    const met = await meet(peer, { version: 'TLSv1.3', certificate: await authority.client('delegate') });
    const { verdict, client } = admission.judge(met.socket, NAME, bundle);
    assert.equal(verdict.admitted, true);
    assert.equal(client?.anchor, authority.pair.facts.fingerprint256);
  }
});

test('the verdict is by the clock it is given', async (t) => {
  const peer = await serve(t, {});
  const { notAfter } = client.facts;
  for (const [now, reason] of [
    [notAfter, 'CLIENT_CERTIFICATE_EXPIRED'],
    [new Date(notAfter.getTime() - 1), null],
  ] as const) {
    const met = await meet(peer, { version: 'TLSv1.3', certificate: client });
    const { verdict } = new Admission({ now: () => now }).judge(met.socket, NAME, endpoint(ca));
    assert.equal(verdict.admitted ? null : verdict.reason, reason);
  }
});
