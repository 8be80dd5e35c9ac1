import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSecureContext, rootCertificates } from 'node:tls';
import fc from 'fast-check';
import { daysFromNow, make, makeCa, makeClient } from '../test/certificate-maker.ts';
import { knock } from '../test/first-door.ts';
import { readCaBundle } from './ca-bundle.ts';
import { CaBundleError, type CaBundleProblem } from './ca-bundle-rules.ts';
import { Purpose } from './certificate-facts.ts';
import { basicConstraints, extendedKeyUsage, extension, keyUsage } from './issuance/certificate-builder.ts';
import { nullValue } from './issuance/der-writer.ts';
import { writePemBlock } from './pem.ts';

const now = new Date();
const root = await makeCa({ subject: { organization: 'Example ORG', commonName: 'CA Cert' } });
const issuing = await makeCa({ subject: 'Issuing CA', issuer: root });
const client = await makeClient({ subject: 'Client', issuer: root });

function problem(pem: string, expected: CaBundleProblem, ...parts: RegExp[]): void {
  assert.throws(
    () => readCaBundle(pem, now),
    (error) => {
      assert.ok(error instanceof CaBundleError, String(error));
      assert.equal(error.problem, expected, error.message);
      for (const part of parts) assert.match(error.message, part);
      return true;
    },
  );
}

const subjects = (pem: string) => readCaBundle(pem, now).authorities.map(({ subject }) => subject);
const codes = (pem: string) => readCaBundle(pem, now).warnings.map(({ code }) => code);

describe('readCaBundle reads', () => {
  it('one CA, with its facts and its own PEM', () => {
    const { authorities, warnings } = readCaBundle(root.pem, now);
    assert.deepEqual(warnings, []);
    assert.deepEqual(authorities, [root.facts]);
    assert.equal(authorities[0]?.subject, 'CN=CA Cert, O=Example ORG');
  });
  it('the same text anew at every moment', async () => {
    const { pem } = await makeCa({ subject: 'Ending', notAfter: daysFromNow(89) });
    assert.deepEqual(codes(pem), ['EXPIRES_SOON']);
    assert.throws(() => readCaBundle(pem, daysFromNow(89)), { problem: 'ALL_EXPIRED' });
    assert.deepEqual(codes(pem), ['EXPIRES_SOON']);
  });
  it('texts that are together more than it keeps', () => {
    const padding = '# a comment\n'.repeat(5_000);
    for (let round = 0; round < 12; round += 1) {
      assert.deepEqual(subjects(`${padding}# ${round % 6}\n${root.pem}`), ['CN=CA Cert, O=Example ORG']);
      assert.deepEqual(subjects(`${padding}# ${round % 6}\n${issuing.pem}`), ['CN=Issuing CA']);
    }
  });
  it('an intermediate without its root', () => assert.deepEqual(subjects(issuing.pem), ['CN=Issuing CA']));
  it('two CAs with one subject and different keys', async () => {
    const twin = await makeCa({ subject: { organization: 'Example ORG', commonName: 'CA Cert' } });
    assert.equal(readCaBundle(root.pem + twin.pem, now).authorities.length, 2);
  });
  it('past comments, bag attributes, a byte order mark, Windows line ends and a missing last line end', () => {
    const text = `\uFEFF# our CA\nBag Attributes\n    friendlyName: ca\nsubject=/CN=x\n${root.pem}\n\nnext:\n${issuing.pem}`;
    assert.deepEqual(subjects(text.replaceAll('\n', '\r\n').trimEnd()), ['CN=CA Cert, O=Example ORG', 'CN=Issuing CA']);
  });
  it('an X.509 v1 root, as OpenSSL does', async () => {
    const v1 = await make({ subject: 'v1 Root', keyIds: false });
    assert.deepEqual(subjects(v1.pem), ['CN=v1 Root']);
    const leaf = await makeClient({ subject: 'leaf', issuer: v1, keyIds: false });
    assert.ok((await knock([v1], [leaf])).verdict.admitted);
  });
  it('a CA that appears twice once, and says so', () => {
    assert.equal(subjects(root.pem + root.pem).length, 1);
    assert.deepEqual(codes(root.pem + root.pem), ['DUPLICATE']);
  });
  it('32 certificates', async () => {
    const many = await Promise.all(Array.from({ length: 33 }, (_, i) => makeCa({ subject: `CA ${i}` })));
    const pems = many.map(({ pem }) => pem);
    assert.equal(readCaBundle(pems.slice(0, 32).join(''), now).authorities.length, 32);
    problem(pems.join(''), 'TOO_MANY_CERTIFICATES', /33 certificates; at most 32/);
  });
});

describe('readCaBundle refuses', () => {
  it('nothing, and what holds no certificate', () => {
    problem('', 'EMPTY');
    problem(' \n', 'EMPTY');
    problem('hello', 'NO_CERTIFICATE', /openssl x509 -inform DER/);
    problem(JSON.stringify(root.pem), 'NO_CERTIFICATE', /upload real line breaks/);
  });
  it('more than 64 KiB', () => {
    assert.equal(subjects(`${'#'.repeat(65_536 - root.pem.length - 1)}\n${root.pem}`).length, 1);
    problem(`${'#'.repeat(65_536 - root.pem.length)}\n${root.pem}`, 'TOO_LARGE', /65537 bytes/);
  });
  it('a leaf, by name, even beside a CA', async () => {
    problem(root.pem + client.pem, 'NOT_A_CA', /"CN=Client", issued by "CN=CA Cert, O=Example ORG"/, /client's own/);
    const noFlag = await make({ subject: 'nf', issuer: root, extensions: [basicConstraints(false)] });
    problem(noFlag.pem, 'NOT_A_CA', /CA:TRUE/);
    const v1Leaf = await make({ subject: 'v1', issuer: root, keyIds: false });
    problem(v1Leaf.pem, 'NOT_A_CA', /X\.509 v1 certificate that is not self-signed/);
    const noSign = await make({ subject: 'ns', extensions: [basicConstraints(true), keyUsage('digitalSignature')] });
    problem(noSign.pem, 'NOT_A_CA', /keyCertSign/);
  });
  it('any private key, and never repeats it', () => {
    const body = root.keyPem.split('\n').slice(1, -2);
    const forms = [
      root.keyPem,
      root.keyPem.replaceAll('PRIVATE', 'RSA PRIVATE'),
      root.keyPem.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE'),
      root.keyPem.replaceAll('-----', '----'),
      root.keyPem.slice(0, -30),
      `  ${root.keyPem.toLowerCase()}`,
      JSON.stringify(root.keyPem),
      root.keyPem.replaceAll('PRIVATE', 'OPENSSH PRIVATE'),
    ];
    for (const form of forms) {
      for (const pem of [form, root.pem + form, `x${form}${root.pem}`]) {
        problem(pem, 'PRIVATE_KEY', /PRIVATE KEY/);
        assert.throws(
          () => readCaBundle(pem, now),
          (error) => error instanceof Error && body.every((line) => !`${error.message}${error.stack}`.includes(line)),
        );
      }
    }
  });
  it('a block that is cut off or damaged', () => {
    problem(root.pem.slice(0, -20), 'MALFORMED_PEM', /no END line/);
    problem(root.pem + issuing.pem.slice(0, 200), 'MALFORMED_PEM', /no END line/);
    problem(issuing.pem.slice(0, 200) + root.pem, 'MALFORMED_PEM');
    problem(`-----END CERTIFICATE-----\n${root.pem}`, 'MALFORMED_PEM', /no BEGIN line/);
    problem(root.pem.replace(/\n.{10}/, '\n!!!!!!!!!!'), 'MALFORMED_PEM', /Certificate 1 .* not base64/);
    problem(root.pem.replace(/END CERT/, 'END X509 CERT'), 'MALFORMED_PEM');
  });
  it('bytes that are no certificate, or more than one in a block, by their place', () => {
    problem(
      root.pem + writePemBlock('CERTIFICATE', Uint8Array.of(0x30, 3, 2, 1, 1)),
      'MALFORMED_CERTIFICATE',
      /Certificate 2/,
    );
    problem(writePemBlock('CERTIFICATE', Uint8Array.of(...root.der, 0)), 'MALFORMED_CERTIFICATE');
    // Node would read the inner PEM; TLS, which gets the outer one, would not.
    problem(writePemBlock('CERTIFICATE', new TextEncoder().encode(root.pem)), 'MALFORMED_CERTIFICATE');
  });
  it('blocks of another kind, by name', () => {
    problem(root.pem.replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST'), 'UNEXPECTED_BLOCK', /"CERTIFICATE REQUEST"/);
    problem(root.pem.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE'), 'UNEXPECTED_BLOCK', /openssl x509/);
  });
  it('only expired CAs', async () => {
    const old = await makeCa({ subject: 'Old', notBefore: daysFromNow(-30), notAfter: daysFromNow(-2) });
    problem(old.pem, 'ALL_EXPIRED', /"CN=Old"/);
    assert.deepEqual(codes(old.pem + root.pem), ['EXPIRED']);
  });
  it('with CaBundleError and nothing else, whatever the text', () => {
    const pieces = [
      root.pem,
      client.pem,
      client.keyPem,
      '-----BEGIN CERTIFICATE-----\n',
      '-----END CERTIFICATE-----\n',
      'MIIB',
      '\n',
      '=',
    ];
    const arbitrary = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string())).map((parts) => parts.join('')),
      fc.uint8Array({ maxLength: 80 }).map((bytes) => writePemBlock('CERTIFICATE', bytes)),
      fc
        .tuple(fc.nat(root.der.length - 1), fc.nat(255))
        .map(([at, value]) => writePemBlock('CERTIFICATE', root.der.with(at, value))),
    );
    fc.assert(
      fc.property(arbitrary, (text) => {
        try {
          const bundle = readCaBundle(text, now);
          assert.ok(bundle.authorities.length > 0);
          createSecureContext({ ca: bundle.authorities.map(({ pem }) => pem), allowPartialTrustChain: true });
        } catch (error) {
          assert.ok(error instanceof CaBundleError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('readCaBundle warns of', () => {
  it('a CA that ends within 90 days, or has not begun', async () => {
    const ending = await makeCa({ subject: 'Ending', notAfter: daysFromNow(89) });
    assert.deepEqual(codes(ending.pem), ['EXPIRES_SOON']);
    assert.match(readCaBundle(ending.pem, now).warnings[0]?.message ?? '', /"CN=Ending" expires in 89 days/);
    const lasting = await makeCa({ subject: 'Lasting', notAfter: daysFromNow(91) });
    assert.deepEqual(codes(lasting.pem), []);
    const early = await makeCa({ subject: 'Early', notBefore: daysFromNow(1) });
    assert.deepEqual(codes(early.pem), ['NOT_YET_VALID']);
  });
  it('a CA whose clients OpenSSL will refuse', async () => {
    const web = await make({
      subject: 'Web',
      extensions: [basicConstraints(true), extendedKeyUsage(Purpose.SERVER_AUTH)],
    });
    const odd = await make({
      subject: 'Odd',
      extensions: [basicConstraints(true), extension('1.2.3.4', true, nullValue())],
    });
    assert.deepEqual(codes(web.pem + odd.pem), ['NOT_FOR_CLIENTS', 'UNKNOWN_CRITICAL_EXTENSION']);
    for (const ca of [web, odd]) {
      const leaf = await makeClient({ subject: 'leaf', issuer: ca });
      assert.equal((await knock([ca], [leaf])).verdict.admitted, false);
    }
  });
  it('a public web CA', () => {
    const [publicRoot = ''] = rootCertificates;
    assert.ok(codes(publicRoot).includes('PUBLIC_WEB_CA'));
    assert.ok(!codes(root.pem).includes('PUBLIC_WEB_CA'));
  });
});
