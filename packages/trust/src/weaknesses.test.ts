import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { daysFromNow, make, makeCa, makeClient } from '../test/certificate-maker.ts';
import { OpensslFolder, skip } from '../test/openssl.ts';
import type { CertificateFacts } from './certificate-facts.ts';
import { Purpose } from './certificate-facts.ts';
import { describeCertificate } from './client-certificate.ts';
import { extendedKeyUsage, keyUsage } from './issuance/certificate-builder.ts';
import { createAuthority, issueClientCertificate } from './issuance/index.ts';
import { findWeaknesses } from './weaknesses.ts';

const now = new Date();
const root = await makeCa({ subject: 'Root' });
const codes = (facts: CertificateFacts) =>
  findWeaknesses(facts, new Date())
    .map(({ code }) => code)
    .sort();

describe('findWeaknesses', () => {
  it('finds none in what we issue by default, and only the EC key when that was asked for', async () => {
    const ca = await createAuthority({ subject: { commonName: 'CA' }, keyAlgorithm: 'EC P-256', now });
    assert.deepEqual(codes(ca.facts), []);
    const rsa = await issueClientCertificate({ authority: ca, name: 'd1', now });
    assert.deepEqual(codes(rsa.facts), []);
    const ec = await issueClientCertificate({ authority: ca, name: 'd1', keyAlgorithm: 'EC P-256', now });
    assert.deepEqual(codes(ec.facts), ['EC_KEY']);
  });
  it('names dates, purposes and names of a client', async () => {
    const old = await makeClient({
      subject: 'Client',
      issuer: root,
      notBefore: daysFromNow(-500),
      notAfter: daysFromNow(-1),
    });
    assert.deepEqual(codes(old.facts), ['EC_KEY', 'EXPIRED', 'LONG_VALIDITY', 'NO_SAN', 'SHARED_NAME']);
    const web = await make({
      subject: 'w',
      issuer: root,
      notBefore: daysFromNow(1),
      notAfter: daysFromNow(9),
      extensions: [extendedKeyUsage(Purpose.SERVER_AUTH), keyUsage('keyEncipherment')],
    });
    assert.deepEqual(codes(web.facts), [
      'EC_KEY',
      'EXPIRES_SOON',
      'MAY_NOT_SIGN',
      'NOT_FOR_CLIENTS',
      'NOT_YET_VALID',
      'NO_SAN',
    ]);
  });
  it('names weak keys and digests', { skip }, () => {
    const folder = new OpensslFolder();
    folder.run('openssl req -x509 -newkey rsa:1024 -sha1 -nodes -days 9 -subj /CN=CA -keyout ca.key -out ca.crt');
    folder.run('openssl req -new -newkey ed25519 -nodes -subj /CN=d -keyout d.key -out d.csr');
    folder.run('openssl x509 -req -md5 -in d.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 5 -out d.crt');
    assert.deepEqual(codes(describeCertificate(new X509Certificate(folder.read('ca.crt')))), [
      'EXPIRES_SOON',
      'SHORT_KEY',
    ]);
    const leaf = codes(describeCertificate(new X509Certificate(folder.read('d.crt'))));
    assert.ok(leaf.includes('WEAK_SIGNATURE') && leaf.includes('UNUSUAL_KEY'), leaf.join());
  });
  it('gives every finding a message that names the certificate, and a remedy', () => {
    for (const { message, remedy } of findWeaknesses({ ...root.facts, version: 1, malformed: 'x', isCa: false }, now)) {
      assert.match(message, /"CN=Root"/);
      assert.ok(remedy.length > 10);
    }
  });
});
