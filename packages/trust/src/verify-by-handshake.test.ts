import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { describe, it } from 'node:test';
import { connect, createServer } from 'node:tls';
import { daysFromNow, type Made, make, makeCa, makeClient } from '../test/certificate-maker.ts';
import { fqdn, shakeHands } from '../test/first-door.ts';
import { OpensslFolder, skip } from '../test/openssl.ts';
import { CaBundleError } from './ca-bundle-rules.ts';
import { MTLS_SERVER_OPTIONS } from './in-process-handshake.ts';
import { basicConstraints } from './issuance/certificate-builder.ts';
import { VerificationError, verifyClientCertificate } from './verify-by-handshake.ts';

const root = await makeCa({ subject: 'Root' });
const client = await makeClient({ subject: 'client', issuer: root });

const request = (leaf: Made, ...chain: Made[]) => ({
  bundlePem: root.pem,
  certificatePem: [leaf, ...chain].map(({ pem }) => pem).join(''),
  keyPem: leaf.keyPem,
  fqdn,
  now: new Date(),
});
const problem = (expected: string) => (error: unknown) =>
  error instanceof VerificationError && error.problem === expected;

describe('verifyClientCertificate', () => {
  it('admits, and names the CA of the bundle', async () => {
    const issuing = await makeCa({ subject: 'Issuing', issuer: root });
    const below = await makeClient({ subject: 'below', issuer: issuing });
    for (const asked of [request(client), request(below, issuing)]) {
      const { verdict, anchor } = await verifyClientCertificate(asked);
      assert.ok(verdict.admitted);
      assert.equal(verdict.authority, fqdn);
      assert.equal(anchor, root.facts.fingerprint256);
    }
    const partial = await verifyClientCertificate({ ...request(below), bundlePem: issuing.pem });
    assert.equal(partial.anchor, issuing.facts.fingerprint256);
  });

  it("is not fooled by a certificate that a delegate's own certificate issued", async () => {
    const bare = await make({ subject: 'bare', issuer: root });
    const forged = await makeClient({ subject: 'forged', issuer: bare });
    assert.ok(forged.x509.checkIssued(bare.x509) && forged.x509.verify(bare.x509.publicKey), 'the hand-made check is');
    const { verdict, anchor } = await verifyClientCertificate(request(forged, bare));
    assert.equal(!verdict.admitted && verdict.reason, 'WRONG_PURPOSE');
    assert.equal(anchor, null);
  });

  it('is not fooled by a chain that is only in order: out of date, too long, or without the CA flag', async () => {
    const expired = await makeCa({
      subject: 'Expired',
      issuer: root,
      notBefore: daysFromNow(-9),
      notAfter: daysFromNow(-1),
    });
    const noDepth = await makeCa({ subject: 'No Depth', issuer: root, pathLength: 0 });
    const tooDeep = await makeCa({ subject: 'Too Deep', issuer: noDepth });
    const noCa = await make({ subject: 'No CA', issuer: root, extensions: [basicConstraints(false)] });
    for (const [above, reason] of [
      [[expired], 'CLIENT_CERTIFICATE_EXPIRED'],
      [[tooDeep, noDepth], 'CLIENT_CERTIFICATE_REJECTED'],
      [[noCa], 'WRONG_PURPOSE'],
    ] as const) {
      const leaf = await makeClient({ subject: 'leaf', issuer: above[0] });
      const signed = [leaf, ...above].every(({ x509 }, i, path) => x509.verify((path[i + 1] ?? root).x509.publicKey));
      assert.ok(signed, 'every signature is right');
      const { verdict } = await verifyClientCertificate(request(leaf, ...above));
      assert.equal(!verdict.admitted && verdict.reason, reason);
    }
  });

  it('gives no verdict without the key, or with what can not be used', async () => {
    const good = request(client);
    await assert.rejects(verifyClientCertificate({ ...good, keyPem: null }), problem('KEY_NEEDED'));
    await assert.rejects(verifyClientCertificate({ ...good, keyPem: root.keyPem }), problem('KEY_MISMATCH'));
    await assert.rejects(verifyClientCertificate({ ...good, keyPem: 'x' }), problem('KEY_UNREADABLE'));
    await assert.rejects(verifyClientCertificate({ ...good, certificatePem: '' }), problem('CERTIFICATE_UNREADABLE'));
    await assert.rejects(
      verifyClientCertificate({ ...good, certificatePem: client.pem.slice(0, 99) }),
      problem('CERTIFICATE_UNREADABLE'),
    );
    await assert.rejects(verifyClientCertificate({ ...good, bundlePem: client.pem }), CaBundleError);
  });

  it('gives the verdict on weak keys and digests, which is a refusal', { skip }, async () => {
    const folder = new OpensslFolder();
    folder.run('openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=CA -keyout ca.key -out ca.crt');
    const sign = (name: string, newKey: string, digest: string): void => {
      folder.run(`openssl req -new -newkey ${newKey} -nodes -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`);
      folder.run(
        `openssl x509 -req -${digest} -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 5 -out ${name}.crt`,
      );
    };
    const verdictOn = async (name: string) => {
      const { verdict } = await verifyClientCertificate({
        bundlePem: folder.read('ca.crt'),
        certificatePem: folder.read(`${name}.crt`),
        keyPem: folder.read(`${name}.key`),
        fqdn,
        now: new Date(),
      });
      return verdict;
    };
    sign('sha1', 'ec -pkeyopt ec_paramgen_curve:P-256', 'sha1');
    const sha1 = await verdictOn('sha1');
    assert.equal(!sha1.admitted && sha1.reason, 'CLIENT_CERTIFICATE_REJECTED');
    assert.match(sha1.admitted ? '' : sha1.message, /too weak \(RSA SHA-1\)/);
    sign('short', 'rsa:1024', 'sha256');
    const short = await verdictOn('short');
    assert.equal(!short.admitted && short.reason, 'CLIENT_CERTIFICATE_REJECTED');
    assert.match(short.admitted ? '' : short.message, /too short \(RSA 1024\)/);
    sign('odd', 'ec -pkeyopt ec_paramgen_curve:secp256k1', 'sha256');
    await assert.rejects(verdictOn('odd'), problem('KEY_UNUSABLE'));
    sign('fine', 'ed25519', 'sha256');
    assert.ok((await verdictOn('fine')).admitted);
  });
});

describe('the handshake in process', () => {
  it('asks for certificates, never rejects in TLS, issues no tickets, and speaks TLS 1.3', async () => {
    assert.equal(MTLS_SERVER_OPTIONS.rejectUnauthorized, false);
    assert.equal(MTLS_SERVER_OPTIONS.minVersion, 'TLSv1.3');
    const { authorized, sent } = await shakeHands([root], []);
    assert.equal(authorized, false);
    assert.deepEqual(sent, []);
  });

  it('never resumes a session', async () => {
    const listener = createServer({ ...MTLS_SERVER_OPTIONS, cert: root.pem, key: root.keyPem });
    listener.on('secureConnection', (socket) => socket.end('done'));
    const visit = async (session?: Buffer) => {
      const [serverSide, clientSide] = duplexPair();
      listener.emit('connection', serverSide);
      const visitor = connect({ socket: clientSide, rejectUnauthorized: false, ...(session && { session }) });
      const sessions: Buffer[] = [];
      visitor.on('session', (fresh: Buffer) => sessions.push(fresh));
      visitor.resume();
      await once(visitor, 'end');
      return { reused: visitor.isSessionReused(), session: sessions[0] };
    };
    const { session } = await visit();
    assert.ok(session, 'OpenSSL hands one out');
    assert.equal((await visit(session)).reused, false);
  });

  it('hands over everything that a client sent, in its order, admitted or not', async () => {
    const issuing = await makeCa({ subject: 'Issuing', issuer: root });
    const below = await makeClient({ subject: 'below', issuer: issuing });
    const stranger = await makeCa({ subject: 'Stranger' });
    for (const bundle of [[root], [stranger]]) {
      const { sent } = await shakeHands(bundle, [below, client, issuing]);
      assert.deepEqual(
        sent.map(({ fingerprint256 }) => fingerprint256),
        [below, client, issuing].map(({ x509 }) => x509.fingerprint256),
      );
    }
  });

  it('ends with 100 intermediates, and with those that go round in a circle', async () => {
    const there = await makeCa({ subject: 'There', issuer: root });
    const back = await makeCa({ subject: 'Back', issuer: there });
    const again = await makeCa({ subject: 'There', issuer: back, keys: there.keys });
    const leaf = await makeClient({ subject: 'leaf', issuer: there });
    const stranger = await makeCa({ subject: 'Stranger' });
    const circle = await shakeHands([stranger], [leaf, again, back]);
    assert.equal(circle.authorized, false);
    const many = await Promise.all(Array.from({ length: 100 }, (_, i) => makeCa({ subject: `CA ${i}` })));
    const { sent, authorized } = await shakeHands([root], [client, ...many]);
    assert.ok(authorized);
    assert.equal(sent.length, 101);
  });
});
