import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { daysFromNow, type Made, make, makeCa, makeClient } from '../../test/certificate-maker.ts';
import { type CrlWish, makeCrl, serialBytes } from '../../test/crl-maker.ts';
import { shakeHands } from '../../test/first-door.ts';
import { Purpose } from '../certificate-facts.ts';
import { describeCertificate } from '../client-certificate.ts';
import { hex, readChildren, readElement } from '../der.ts';
import type { Explanation } from '../explain-rejection.ts';
import {
  basicConstraints,
  extendedKeyUsage,
  extension,
  subjectAlternativeName,
} from '../issuance/certificate-builder.ts';
import { contextPrimitive, element, ia5String, integer, sequence } from '../issuance/der-writer.ts';
import { traceIssuers } from '../issuer-path.ts';
import { writePemBlock } from '../pem.ts';
import {
  ADMIT_ALL,
  type ClientPolicy,
  type DeniedCertificate,
  DeniedCertificates,
  type IdentityPin,
  judgePolicy,
  nextDeadline,
  type PinType,
  pinKey,
  policySubject,
  publicKeyHash,
  readIdentityPin,
  readRevocationList,
} from './index.ts';

const root = await makeCa({ subject: { organization: 'Example ORG', commonName: 'Root' } });
const issuing = await makeCa({ subject: 'Issuing', issuer: root });
const client = await makeClient({ subject: { organization: 'Example ORG', commonName: 'edge-1' }, issuer: root });
const below = await makeClient({ subject: 'below', issuer: issuing });
const now = new Date();

/** What the policy says after a real handshake that OpenSSL has verified. */
async function judge(
  bundle: readonly Made[],
  sent: readonly Made[],
  policy: Partial<ClientPolicy>,
  at = now,
): Promise<Explanation | null> {
  const handshake = await shakeHands(bundle, sent);
  assert.equal(handshake.authorized, true, handshake.errorCode ?? '');
  const [leaf, ...chain] = handshake.sent;
  assert.ok(leaf !== undefined);
  const path = traceIssuers(
    leaf,
    chain,
    bundle.map(({ facts }) => facts),
  );
  return judgePolicy({ ...ADMIT_ALL, ...policy }, policySubject(describeCertificate(leaf), path), at);
}

function refused(verdict: Explanation | null, reason: string, ...parts: readonly RegExp[]): void {
  assert.equal(verdict?.reason, reason, verdict?.message);
  for (const part of parts) assert.match(`${verdict?.message} | ${verdict?.remedy}`, part);
}

async function listsOf(...wishes: readonly CrlWish[]): Promise<ClientPolicy['lists']> {
  const read = async (wish: CrlWish) =>
    [publicKeyHash(wish.issuer.facts), await readRevocationList(await makeCrl(wish))] as const;
  return new Map(await Promise.all(wishes.map(read)));
}

const revoking = (issuer: Made, revoked: Made, wish: Partial<CrlWish> = {}): CrlWish => ({
  issuer,
  revoked: [serialBytes(revoked.facts.serialNumber)],
  ...wish,
});

describe('a CRL', () => {
  it('refuses whom it lists and nobody else', async () => {
    const lists = await listsOf(revoking(root, client, { number: 12 }));
    refused(
      await judge([root], [client], { lists }),
      'CERTIFICATE_REVOKED',
      /"CN=edge-1/,
      /number 12, of 2/,
      /new key/,
    );
    const another = await makeClient({ subject: 'edge-2', issuer: root });
    assert.equal(await judge([root], [another], { lists }), null);
    assert.equal(await judge([root], [client], { lists: await listsOf({ issuer: root }) }), null);
  });

  it('that revokes an intermediate refuses its leaves, sent or in the bundle', async () => {
    const lists = await listsOf(revoking(root, issuing), { issuer: issuing });
    const sent = await judge([root], [below, issuing], { lists });
    refused(
      sent,
      'CERTIFICATE_REVOKED',
      /The CA certificate "CN=Issuing" above the client certificate "CN=below"/,
      /bundle/,
    );
    refused(await judge([root, issuing], [below], { lists }), 'CERTIFICATE_REVOKED', /"CN=Issuing"/);
    assert.equal(await judge([root], [client], { lists }), null);
  });

  it('of a CA whose twin has the same name is not the twin’s', async () => {
    const twin = await makeCa({ subject: { organization: 'Example ORG', commonName: 'Root' } });
    const serialNumber = serialBytes(client.facts.serialNumber);
    const namesake = await makeClient({ subject: 'namesake', issuer: twin, serialNumber });
    const lists = await listsOf(revoking(root, client));
    assert.equal(await judge([root, twin], [namesake], { lists }), null);
    refused(await judge([root, twin], [client], { lists }), 'CERTIFICATE_REVOKED');
  });

  it('that has expired is what is reported, never the certificate, and a revoked one stays revoked', async () => {
    const [thisUpdate, nextUpdate] = [daysFromNow(-8), daysFromNow(-1)];
    const lists = await listsOf({ issuer: root, thisUpdate, nextUpdate });
    refused(
      await judge([root], [client], { lists }),
      'CRL_EXPIRED',
      /^The CRL of "CN=Root, O=Example ORG" expired 24 h ago \(at /,
      /Nothing is wrong with the certificate/,
    );
    const revoked = await listsOf(revoking(root, client, { thisUpdate, nextUpdate }));
    refused(await judge([root], [client], { lists: revoked }), 'CERTIFICATE_REVOKED');
  });

  it('is used for as long as the account says, to the millisecond', async () => {
    const nextUpdate = daysFromNow(-1);
    const lists = await listsOf({ issuer: root, thisUpdate: daysFromNow(-8), nextUpdate });
    const rule = (staleHours: number) => ({ whenExpired: 'USE_STALE', staleHours }) as const;
    assert.equal(await judge([root], [client], { lists, expiredLists: rule(25) }), null);
    refused(await judge([root], [client], { lists, expiredLists: rule(23) }), 'CRL_EXPIRED', /used for 23 h more/);
    assert.equal(await judge([root], [client], { lists }, new Date(nextUpdate.getTime() - 1)), null);
    refused(await judge([root], [client], { lists }, nextUpdate), 'CRL_EXPIRED');
    refused(await judge([root], [client], { lists }, new Date(Number.NaN)), 'CRL_EXPIRED');
    const deadline = (policy: Partial<ClientPolicy>, at: number) =>
      nextDeadline({ ...ADMIT_ALL, lists, ...policy }, new Date(at))?.getTime();
    assert.equal(deadline({}, nextUpdate.getTime() - 1), nextUpdate.getTime());
    assert.equal(deadline({}, nextUpdate.getTime()), undefined);
    assert.equal(deadline({ expiredLists: rule(2) }, nextUpdate.getTime()), nextUpdate.getTime() + 7_200_000);
  });

  it('is no affair of clients of other CAs', async () => {
    const lists = await listsOf({ issuer: issuing, thisUpdate: daysFromNow(-8), nextUpdate: daysFromNow(-1) });
    assert.equal(await judge([root], [client], { lists }), null);
    refused(await judge([root], [below, issuing], { lists }), 'CRL_EXPIRED', /CN=Issuing/);
  });
});

describe('a client that sends so much that its path can’t be told', () => {
  it('is refused where certificates are revoked or denied, and nowhere else', async () => {
    // 127 strangers in front of the intermediate: beyond what is looked at, and OpenSSL finds it all the same.
    const junk = await makeClient({ subject: 'j', issuer: root });
    const sent = [below, ...Array<Made>(127).fill(junk), issuing];
    const lists = await listsOf(revoking(root, issuing));
    refused(await judge([root], sent, { lists }), 'CLIENT_CERTIFICATE_REJECTED', /too many certificates/);
    const denied = new DeniedCertificates([{ fingerprint256: issuing.facts.fingerprint256 }]);
    refused(await judge([root], sent, { denied }), 'CLIENT_CERTIFICATE_REJECTED');
    assert.equal(await judge([root], sent, {}), null);
  });
});

describe('denied certificates', () => {
  const judgeDenied = (sent: readonly Made[], ...denied: readonly DeniedCertificate[]) =>
    judge([root], sent, { denied: new DeniedCertificates(denied) });

  it('are refused by fingerprint, or by issuer and serial number in any spelling of the name', async () => {
    const { fingerprint256, serialNumber } = client.facts;
    refused(
      await judgeDenied([client], { fingerprint256 }),
      'CERTIFICATE_DENIED',
      /"CN=edge-1/,
      /is denied by this account/,
    );
    for (const issuer of ['CN=Root, O=Example ORG', 'cn=root,o=example org', 'O = Example ORG, CN = Root']) {
      refused(await judgeDenied([client], { issuer, serialNumber }), 'CERTIFICATE_DENIED');
    }
    const others: DeniedCertificate[] = [
      { issuer: 'CN=Root', serialNumber },
      { issuer: 'CN=Root, O=Example ORG', serialNumber: below.facts.serialNumber },
      { fingerprint256: below.facts.fingerprint256 },
    ];
    assert.equal(await judgeDenied([client], ...others), null);
  });

  it('take everything below them along, the CA of the bundle included', async () => {
    for (const { facts } of [issuing, root]) {
      const denied = await judgeDenied([below, issuing], { fingerprint256: facts.fingerprint256 });
      refused(denied, 'CERTIFICATE_DENIED', new RegExp(`The CA certificate "${facts.subject}" above`));
    }
  });

  it('do not come back under another fingerprint with their ECDSA signature turned around', async () => {
    const twin = turnSignature(client, 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n);
    assert.notEqual(twin.facts.fingerprint256, client.facts.fingerprint256);
    const denied = { fingerprint256: client.facts.fingerprint256 };
    // judge() asserts that OpenSSL verifies the twin.
    refused(await judgeDenied([twin], denied), 'CERTIFICATE_DENIED', /"CN=edge-1/);
    assert.equal(await judgeDenied([twin], { fingerprint256: below.facts.fingerprint256 }), null);
  });
});

describe('allowed identities', () => {
  const pin = (type: PinType, value: string): IdentityPin => readIdentityPin({ type, value });
  const judgeAllowed = (sent: readonly Made[], ...pins: readonly IdentityPin[]) =>
    judge([root], sent, { allowed: new Set(pins.map(pinKey)) });
  const named = (...names: Parameters<typeof subjectAlternativeName>[0]) =>
    make({
      subject: 'named',
      issuer: root,
      extensions: [basicConstraints(false), extendedKeyUsage(Purpose.CLIENT_AUTH), subjectAlternativeName(names)],
    });

  it('admit every certificate of the CA while there are none', async () => {
    assert.equal(await judgeAllowed([client]), null);
  });

  it('admit a client that has one of them, of each type', async () => {
    const leaf = await named(
      { type: 'dns', value: 'edge-1' },
      { type: 'uri', value: 'urn:a' },
      { type: 'email', value: 'a@b.test' },
      { type: 'ip', value: '2001:db8::1' },
    );
    const stranger = pin('DNS', 'somebody');
    for (const own of [
      pin('DNS', 'edge-1'),
      pin('URI', 'urn:a'),
      pin('EMAIL', 'a@b.test'),
      pin('IP', '2001:0DB8:0:0::1'),
      pin('SUBJECT', 'cn=named'),
      pin('SPKI_SHA256', publicKeyHash(leaf.facts).toUpperCase()),
      pin('CERTIFICATE_SHA256', leaf.x509.fingerprint256),
    ]) {
      assert.equal(await judgeAllowed([leaf], stranger, own), null, own.type);
      refused(
        await judgeAllowed([client], stranger, own),
        'IDENTITY_NOT_ALLOWED',
        /"CN=edge-1/,
        /no subject alternative/,
      );
    }
    refused(
      await judgeAllowed([leaf], stranger),
      'IDENTITY_NOT_ALLOWED',
      /dns:edge-1; uri:urn:a; email:a@b\.test and 1/,
    );
  });

  it('compare whole entries of one type, so that no text inside of another one passes', async () => {
    const tricky = await named(
      { type: 'dns', value: 'x, DNS:admin' },
      { type: 'uri', value: 'admin' },
      { type: 'email', value: 'admin' },
      { type: 'dns', value: 'admin.example' },
    );
    refused(await judgeAllowed([tricky], pin('DNS', 'admin')), 'IDENTITY_NOT_ALLOWED');
    assert.match(tricky.x509.subjectAltName ?? '', /admin/);
    const nul = extension('2.5.29.17', false, sequence(contextPrimitive(2, ia5String('admin\0.test').subarray(2))));
    const cut = await make({ subject: 'nul', issuer: root, extensions: [nul] });
    refused(await judgeAllowed([cut], pin('DNS', 'admin')), 'IDENTITY_NOT_ALLOWED');
    const subject = await makeClient({ subject: { commonName: 'edge-1, O=Example ORG' }, issuer: root });
    refused(await judgeAllowed([subject], pin('SUBJECT', 'CN=edge-1, O=Example ORG')), 'IDENTITY_NOT_ALLOWED');
    assert.equal(await judgeAllowed([client], pin('SUBJECT', 'CN=edge-1, O=Example ORG')), null);
  });

  it('look at the client’s own certificate, not at those above it', async () => {
    refused(await judgeAllowed([below, issuing], pin('SUBJECT', 'CN=Issuing')), 'IDENTITY_NOT_ALLOWED');
    const fingerprint = pin('CERTIFICATE_SHA256', issuing.facts.fingerprint256);
    refused(await judgeAllowed([below, issuing], fingerprint), 'IDENTITY_NOT_ALLOWED');
  });

  it('are refused when no certificate can have them', () => {
    for (const [type, value, why] of [
      ['DNS', '', /1 to 1024/],
      ['DNS', 'a\nb', /printable/],
      ['DNS', 'ä', /printable/],
      ['IP', '1.2.3', /IPv4 or IPv6/],
      ['IP', '1.2.3.4/24', /IPv4 or IPv6/],
      ['SUBJECT', 'edge-1', /RFC 4514/],
      ['SPKI_SHA256', 'abc', /64 hexadecimal/],
      ['CERTIFICATE_SHA256', 'g'.repeat(64), /64 hexadecimal/],
    ] as const) {
      assert.throws(() => readIdentityPin({ type, value }), why);
    }
  });
});

/** The same certificate with the other one of the two ECDSA signatures that its issuer's key makes valid. */
function turnSignature(made: Made, order: bigint): Made {
  const [body, algorithm, signature] = readChildren(readElement(made.der).content);
  const [r, s] = readChildren(readElement(signature?.content ?? new Uint8Array(), 1).content);
  assert.ok(body && algorithm && r && s);
  const turned = (order - BigInt(`0x${hex(s.content)}`)).toString(16).padStart(64, '0');
  const value = sequence(r.bytes, integer(Buffer.from(turned, 'hex')));
  const der = sequence(body.bytes, algorithm.bytes, element(0x03, Uint8Array.of(0), value));
  const pem = writePemBlock('CERTIFICATE', der);
  const x509 = new X509Certificate(pem);
  return { ...made, der, pem, x509, facts: { ...describeCertificate(x509), pem } };
}
