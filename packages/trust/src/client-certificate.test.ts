import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { rootCertificates } from 'node:tls';
import fc from 'fast-check';
import { make, makeCa } from '../test/certificate-maker.ts';
import { fqdn } from '../test/first-door.ts';
import { describeCertificate } from './client-certificate.ts';
import { judgeConnection } from './connection-verdict.ts';
import { DerError } from './der.ts';
import { escapeValue } from './distinguished-name.ts';
import { extension, subjectAlternativeName } from './issuance/certificate-builder.ts';
import { asciiBytes, context, contextPrimitive, element, oid, sequence, utf8String } from './issuance/der-writer.ts';
import { writePemBlock } from './pem.ts';
import { readCertificate } from './read-certificate.ts';

const root = await makeCa({ subject: { organization: 'Example ORG', commonName: 'Root' } });

describe('describeCertificate', () => {
  it('agrees with OpenSSL on the roots of the public web', () => {
    for (const pem of rootCertificates) {
      const x509 = new X509Certificate(pem);
      const facts = describeCertificate(x509);
      assert.equal(facts.malformed, null, pem);
      assert.equal(facts.serialNumber, x509.serialNumber);
      assert.equal(facts.isCa, x509.ca);
      assert.equal(facts.selfSigned, x509.checkIssued(x509));
      assert.deepEqual([facts.notBefore, facts.notAfter], [x509.validFromDate, x509.validToDate]);
      assert.equal(facts.fingerprint256, x509.fingerprint256.replaceAll(':', '').toLowerCase());
      const { modulusLength } = x509.publicKey.asymmetricKeyDetails ?? {};
      if (modulusLength !== undefined) assert.equal(facts.keyAlgorithm, `RSA ${modulusLength}`);
      assert.equal(facts.publicKey, x509.publicKey.export({ type: 'spki', format: 'der' }).toString('hex'));
      const common = facts.subjectAttributes.find(({ type }) => type === 'CN');
      if (common) assert.ok(x509.subject.includes(`CN=${escapeValue(common.value)}`), x509.subject);
    }
  });

  it('writes names that nobody can forge', async () => {
    const tricky = await make({
      subject: { organization: 'Example ORG, CN=admin', commonName: 'a+b=c' },
      issuer: root,
    });
    assert.equal(tricky.facts.subject, 'CN=a\\+b\\=c, O=Example ORG\\, CN\\=admin');
    for (const [value, escaped] of [
      ['a\nb', 'a\\0ab'],
      ['\u202Egnp', '\\e2\\80\\aegnp'],
      ['a\0', 'a\\00'],
      ['\\', '\\\\'],
      ['"#;<>', '\\"#\\;\\<\\>'],
      ['#a', '\\#a'],
      [' a  b ', '\\ a  b\\ '],
      [' ', '\\ '],
    ] as const) {
      assert.equal(escapeValue(value), escaped);
    }
  });

  it('never gives two values one escaped form', () => {
    const awkward = fc.string({ unit: fc.constantFrom('\\', '0', 'a', ' ', '#', ',', '+', '=', '\n', '\0', 'é', '"') });
    fc.assert(fc.property(awkward, awkward, (one, two) => one === two || escapeValue(one) !== escapeValue(two)));
  });

  it('reads names by type: a NUL, a URL-like text or an IP address in a DNS name stay what they are', async () => {
    const entries = [
      contextPrimitive(2, asciiBytes('good.test\0.evil.test')),
      contextPrimitive(2, asciiBytes('10.0.0.1')),
      contextPrimitive(1, asciiBytes('dns:x@y.test')),
      contextPrimitive(7, Uint8Array.of(10, 0, 0, 1)),
      contextPrimitive(7, Uint8Array.of(...Array<number>(15).fill(0), 1)),
      contextPrimitive(7, Uint8Array.of(1, 2, 3)),
      context(4, root.name),
      context(0, oid('1.3.6.1.4.1.311.20.2.3'), context(0, utf8String('user@example.test'))),
    ];
    const { facts } = await make({
      subject: 'x',
      issuer: root,
      extensions: [extension('2.5.29.17', false, sequence(...entries))],
    });
    assert.deepEqual(facts.sans, [
      { type: 'dns', value: 'good.test\0.evil.test' },
      { type: 'dns', value: '10.0.0.1' },
      { type: 'email', value: 'dns:x@y.test' },
      { type: 'ip', value: '10.0.0.1' },
      { type: 'ip', value: '::1' },
      { type: 'other', value: '#8703010203' },
      { type: 'directory', value: 'CN=Root, O=Example ORG' },
      { type: 'other', value: '1.3.6.1.4.1.311.20.2.3:user@example.test' },
    ]);
  });

  it('calls a certificate malformed that OpenSSL reads but two readers could read differently', async () => {
    const san = subjectAlternativeName([{ type: 'dns', value: 'a.test' }]);
    const twice = await make({ subject: 'twice', issuer: root, extensions: [san, san] });
    assert.match(twice.facts.malformed ?? '', /2\.5\.29\.17 occurs twice/);
    assert.equal(twice.facts.subject, 'CN=twice');
    assert.deepEqual(twice.facts.notAfter, twice.x509.validToDate);
    const verdict = judgeConnection({
      endpoint: { fqdn, accountId: 'acme', authorities: [root.facts] },
      serverName: fqdn,
      presented: { leaf: twice.facts, chainSent: [] },
      verification: { authorized: true, errorCode: null },
      now: new Date(),
    });
    assert.equal(!verdict.admitted && verdict.reason, 'CLIENT_CERTIFICATE_REJECTED');
  });

  it('is total: whatever byte is changed, OpenSSL refuses it or it is described', () => {
    fc.assert(
      fc.property(fc.nat(root.der.length - 1), fc.nat(255), (at, value) => {
        const changed = writePemBlock('CERTIFICATE', root.der.with(at, value));
        let x509: X509Certificate;
        try {
          x509 = new X509Certificate(changed);
        } catch {
          return; // OpenSSL refuses it
        }
        assert.equal(describeCertificate(x509).fingerprint256.length, 64);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('readCertificate', () => {
  it('throws DerError and nothing else on other bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(root.der.length).map((end) => root.der.slice(0, end)),
      fc.tuple(fc.nat(root.der.length - 1), fc.nat(255)).map(([at, value]) => root.der.with(at, value)),
      fc.uint8Array({ maxLength: 50 }).map((content) => element(0x30, content)),
    );
    fc.assert(
      fc.property(bytes, (der) => {
        try {
          readCertificate(der, '');
        } catch (error) {
          assert.ok(error instanceof DerError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses indefinite lengths and bytes behind the certificate', () => {
    assert.throws(() => readCertificate(Uint8Array.of(0x30, 0x80, 0, 0), ''), /indefinite length/);
    assert.throws(() => readCertificate(Uint8Array.of(...root.der, 0), ''), /bytes follow/);
  });
});
