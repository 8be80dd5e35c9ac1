import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { Purpose } from '../certificate-facts.ts';
import { readPemBlocks, writePemBlock } from '../pem.ts';
import { verifyClientCertificate } from '../verify-by-handshake.ts';
import { createAuthority, IssuanceError, issueClientCertificate, issueServerCertificate } from './index.ts';

const now = new Date();
const DAY = 86_400_000;
const fqdn = 'blue.agent.example.test';
const ca = await createAuthority({
  subject: { organization: 'Example ORG', commonName: 'CA' },
  keyAlgorithm: 'EC P-256',
  now,
});

async function admitted(certificatePem: string, keyPem: string, bundlePem = ca.certificatePem): Promise<void> {
  const { verdict, anchor } = await verifyClientCertificate({
    bundlePem,
    certificatePem,
    keyPem,
    fqdn,
    now: new Date(),
  });
  assert.ok(verdict.admitted, verdict.admitted ? '' : verdict.message);
  assert.ok(anchor !== null);
}

const problem = (expected: string, part?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof IssuanceError, String(error));
  assert.equal(error.problem, expected, error.message);
  if (part) assert.match(error.message, part);
  return true;
};

describe('createAuthority', () => {
  it('makes a v3 CA with the extensions of a CA, and a PKCS#8 key', () => {
    const { facts } = ca;
    assert.equal(facts.version, 3);
    assert.ok(facts.isCa && facts.selfSigned);
    assert.equal(facts.subject, 'CN=CA, O=Example ORG');
    assert.deepEqual(facts.keyUsage, ['keyCertSign', 'cRLSign']);
    assert.equal(facts.subjectKeyId, facts.authorityKeyId?.keyId);
    assert.match(facts.serialNumber, /^[4-7][0-9A-F]{31}$/);
    assert.match(ca.privateKeyPem, /^-----BEGIN PRIVATE KEY-----/);
    assert.equal(now.getTime() - facts.notBefore.getTime() - (now.getTime() % 1000), 5 * 60_000);
  });

  it('encrypts the key with a passphrase, and only that opens it', async () => {
    const locked = await createAuthority({
      subject: { commonName: 'Locked' },
      keyAlgorithm: 'EC P-384',
      now,
      passphrase: 'çorrect hörse',
    });
    assert.match(locked.privateKeyPem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    const request = { name: 'd1', keyAlgorithm: 'EC P-256', now } as const;
    const pair = await issueClientCertificate({ ...request, authority: { ...locked, passphrase: 'çorrect hörse' } });
    await admitted(pair.certificatePem, pair.privateKeyPem, locked.certificatePem);
    await assert.rejects(issueClientCertificate({ ...request, authority: locked }), problem('PASSPHRASE_NEEDED'));
    const wrong = issueClientCertificate({ ...request, authority: { ...locked, passphrase: 'wrong' } });
    await assert.rejects(wrong, problem('PASSPHRASE_WRONG'));
  });

  it('does not work for hours on a key file that asks for it', async () => {
    const locked = await createAuthority({
      subject: { commonName: 'Locked' },
      keyAlgorithm: 'EC P-256',
      now,
      passphrase: 'secret',
    });
    const der = readPemBlocks(locked.privateKeyPem)[0]?.der;
    assert.ok(der);
    // The iteration count, 600000, becomes 15 million.
    const at = Buffer.from(der).indexOf(Buffer.from([0x02, 0x03, 0x09, 0x27, 0xc0]));
    const privateKeyPem = writePemBlock('ENCRYPTED PRIVATE KEY', der.with(at + 2, 0xe4).with(at + 1, 0x03));
    const authority = { ...locked, privateKeyPem, passphrase: 'secret' };
    const attempt = issueClientCertificate({ authority, name: 'd1', keyAlgorithm: 'EC P-256', now });
    await assert.rejects(attempt, problem('KEY_UNREADABLE', /14952384 iterations/));
  });

  it('makes an intermediate, unless the CA above allows none', async () => {
    const issuing = await createAuthority({
      subject: { commonName: 'Issuing' },
      keyAlgorithm: 'EC P-256',
      now,
      pathLength: 0,
      issuer: ca,
    });
    assert.equal(issuing.facts.pathLength, 0);
    assert.equal(issuing.facts.issuer, ca.facts.subject);
    const pair = await issueClientCertificate({ authority: issuing, name: 'd1', keyAlgorithm: 'EC P-256', now });
    await admitted(pair.certificatePem + issuing.certificatePem, pair.privateKeyPem);
    await admitted(pair.certificatePem, pair.privateKeyPem, issuing.certificatePem);
    const tooDeep = createAuthority({ subject: { commonName: 'x' }, keyAlgorithm: 'EC P-256', now, issuer: issuing });
    await assert.rejects(tooDeep, problem('NOT_A_CA', /path length 0/));
  });

  it('refuses names that X.509 can not carry', async () => {
    for (const subject of [
      { commonName: ' ' },
      { commonName: 'x'.repeat(65) },
      { country: 'Germany', commonName: 'x' },
      { commonName: 'a\nb' },
    ]) {
      await assert.rejects(createAuthority({ subject, keyAlgorithm: 'EC P-256', now }), problem('INVALID_NAME'));
    }
    await assert.rejects(
      createAuthority({ subject: { commonName: 'x' }, days: 0.5, keyAlgorithm: 'EC P-256', now }),
      problem('INVALID_LIFETIME'),
    );
  });
});

describe('issueClientCertificate', () => {
  it('makes an RSA 2048 PKCS#8 pair for 90 days, for clients only, in the name of the delegate', async () => {
    const pair = await issueClientCertificate({ authority: ca, name: 'delegate-1', now });
    const { facts } = pair;
    assert.equal(facts.keyAlgorithm, 'RSA 2048');
    assert.match(pair.privateKeyPem, /^-----BEGIN PRIVATE KEY-----/);
    assert.deepEqual(facts.purposes, [Purpose.CLIENT_AUTH]);
    assert.deepEqual(facts.keyUsage, ['digitalSignature']);
    assert.deepEqual(facts.sans, [{ type: 'dns', value: 'delegate-1' }]);
    assert.equal(facts.isCa, false);
    assert.equal(facts.authorityKeyId?.keyId, ca.facts.subjectKeyId);
    assert.equal(facts.notAfter.getTime(), Math.floor((now.getTime() + 90 * DAY) / 1000) * 1000);
    await admitted(pair.certificatePem, pair.privateKeyPem);
  });

  it('writes a name that is no DNS name as a URN', async () => {
    for (const name of ['my delegate', 'größe', '10.0.0.1', 'a_b', '-a', 'x/y?z#']) {
      const { facts } = await issueClientCertificate({ authority: ca, name, keyAlgorithm: 'EC P-256', now });
      assert.deepEqual(facts.sans, [{ type: 'uri', value: `urn:sallyport:delegate:${encodeURIComponent(name)}` }]);
    }
  });

  it('refuses a name that is empty, too long or holds control characters', async () => {
    for (const name of ['', ' ', 'x'.repeat(65), 'a\0b', 'a\u202Eb', '\uD800']) {
      await assert.rejects(
        issueClientCertificate({ authority: ca, name, keyAlgorithm: 'EC P-256', now }),
        problem('INVALID_NAME'),
      );
    }
  });

  it('never outlives its CA, and never comes from one that is out of date, no CA, or without its own key', async () => {
    const short = await createAuthority({ subject: { commonName: 'Short' }, keyAlgorithm: 'EC P-256', days: 10, now });
    const request = { authority: short, name: 'd1', keyAlgorithm: 'EC P-256', now } as const;
    const pair = await issueClientCertificate(request);
    assert.deepEqual(pair.facts.notAfter, short.facts.notAfter);
    assert.equal(pair.endsWithIssuer, true);
    assert.equal((await issueClientCertificate({ ...request, days: 10 })).endsWithIssuer, false);
    const later = issueClientCertificate({ ...request, now: new Date(now.getTime() + 11 * DAY) });
    await assert.rejects(later, problem('AUTHORITY_OUT_OF_DATE'));
    await assert.rejects(issueClientCertificate({ ...request, authority: pair }), problem('NOT_A_CA'));
    const mixed = { certificatePem: ca.certificatePem, privateKeyPem: short.privateKeyPem };
    await assert.rejects(issueClientCertificate({ ...request, authority: mixed }), problem('KEY_MISMATCH'));
  });

  it('says what is wrong with a key file, and never shows it', async () => {
    const body = ca.privateKeyPem.split('\n').slice(1, -2);
    const forms = [
      ca.privateKeyPem.slice(0, 100),
      ca.certificatePem,
      ca.privateKeyPem + ca.privateKeyPem,
      ca.privateKeyPem.replace('MIG', 'MIH'),
      'x',
    ];
    for (const privateKeyPem of forms) {
      const attempt = issueClientCertificate({
        authority: { ...ca, privateKeyPem },
        name: 'd1',
        keyAlgorithm: 'EC P-256',
        now,
      });
      await assert.rejects(attempt, (error) => {
        problem('KEY_UNREADABLE')(error);
        return body.every((line) => !String(error).includes(line));
      });
    }
  });
});

describe('issueServerCertificate', () => {
  it('makes a P-256 certificate for hosts and addresses, for servers only', async () => {
    const dnsNames = ['localhost', '*.agent.localhost'];
    const ipAddresses = ['127.0.0.1', '::1', '2001:db8::ff00:42:8329'];
    const { facts, certificatePem } = await issueServerCertificate({ authority: ca, dnsNames, ipAddresses, now });
    assert.equal(facts.keyAlgorithm, 'EC P-256');
    assert.deepEqual(facts.purposes, [Purpose.SERVER_AUTH]);
    assert.deepEqual(
      facts.sans.map(({ value }) => value),
      [...dnsNames, ...ipAddresses],
    );
    const x509 = new X509Certificate(certificatePem);
    assert.ok(x509.checkHost('acme.agent.localhost') && ipAddresses.every((address) => x509.checkIP(address)));
  });

  it('refuses what is no host and no address', async () => {
    const keyAlgorithm = 'EC P-256';
    for (const dnsNames of [[], [''], ['a b'], ['*'], ['a.*.b'], ['10.0.0.1'], ['x\0.test']]) {
      await assert.rejects(
        issueServerCertificate({ authority: ca, dnsNames, keyAlgorithm, now }),
        problem('INVALID_NAME'),
      );
    }
    for (const address of ['256.1.1.1', '1.2.3', ':::', 'x', '1::2::3', '01.2.3.4.5']) {
      await assert.rejects(
        issueServerCertificate({ authority: ca, dnsNames: ['a'], ipAddresses: [address], now }),
        problem('INVALID_NAME'),
      );
    }
  });
});
