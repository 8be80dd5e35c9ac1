import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { daysFromNow, type Made, make, makeCa, makeClient } from '../test/certificate-maker.ts';
import { fqdn, type Knocked, knock } from '../test/first-door.ts';
import { Purpose } from './certificate-facts.ts';
import { judgeConnection } from './connection-verdict.ts';
import { basicConstraints, extendedKeyUsage, extension, keyUsage } from './issuance/certificate-builder.ts';
import { context, contextPrimitive, ia5String, integer, nullValue, sequence } from './issuance/der-writer.ts';
import { RefusalReason } from './reasons.ts';

const root = await makeCa({ subject: { organization: 'Example ORG', commonName: 'Root' } });
const issuing = await makeCa({ subject: { organization: 'Example ORG', commonName: 'Issuing CA' }, issuer: root });
const stranger = await makeCa({ subject: { organization: 'Stranger', commonName: 'Other Root' } });
const client = await makeClient({ subject: { organization: 'Example ORG', commonName: 'Client' }, issuer: root });
const below = await makeClient({ subject: 'below', issuer: issuing });

const reached = new Set<string>();

function refused(
  { verdict, handshake }: Knocked,
  reason: RefusalReason,
  code: string | null,
  ...parts: RegExp[]
): void {
  assert.ok(!verdict.admitted, 'it was admitted');
  assert.equal(verdict.reason, reason, verdict.message);
  assert.equal(handshake.errorCode, code);
  for (const part of parts) assert.match(`${verdict.message} | ${verdict.remedy}`, part);
  assert.ok(verdict.remedy.length > 20);
  reached.add(reason);
}

function admitted({ verdict }: Knocked, leaf: Made): void {
  assert.ok(verdict.admitted, verdict.admitted ? '' : verdict.message);
  assert.equal(verdict.authority, fqdn);
  assert.equal(verdict.accountId, 'acme');
  assert.equal(verdict.fingerprint256, leaf.facts.fingerprint256);
  assert.deepEqual(verdict.validUntil, leaf.facts.notAfter);
}

describe('the first door, over real handshakes, admits', () => {
  it('a client of a CA in the bundle', async () => admitted(await knock([root], [client]), client));
  it('a client that sends its intermediate', async () => admitted(await knock([root], [below, issuing]), below));
  it('a client of an intermediate that is in the bundle without its root', async () =>
    admitted(await knock([issuing], [below]), below));
  it('a client of either of two CAs with one name and two keys', async () => {
    const twin = await makeCa({ subject: { organization: 'Example ORG', commonName: 'Root' } });
    admitted(await knock([twin, root], [client]), client);
    const other = await makeClient({ subject: 'other', issuer: twin });
    admitted(await knock([root, twin], [other]), other);
  });
  it('a v1 certificate and one without extended key usage', async () => {
    const v1 = await make({ subject: 'v1', issuer: root, keyIds: false });
    assert.equal(v1.facts.version, 1);
    admitted(await knock([root], [v1]), v1);
    const plain = await make({ subject: 'plain', issuer: root });
    admitted(await knock([root], [plain]), plain);
  });
});

describe('the first door, over real handshakes, refuses', () => {
  it('a client without a certificate', async () => {
    refused(await knock([root], []), 'NO_CLIENT_CERTIFICATE', 'UNABLE_TO_GET_ISSUER_CERT', /CN=Root, O=Example ORG/);
  });

  it('an expired client, saying since when and whom to ask', async () => {
    const expired = await makeClient({
      subject: 'old',
      issuer: root,
      notBefore: daysFromNow(-9),
      notAfter: daysFromNow(-3),
    });
    refused(
      await knock([root], [expired]),
      'CLIENT_CERTIFICATE_EXPIRED',
      'CERT_HAS_EXPIRED',
      /"CN=old" expired 3 days ago/,
      /CN=Root/,
    );
  });

  it('a client below an expired intermediate, blaming the intermediate', async () => {
    const ca = await makeCa({
      subject: 'Old Issuing',
      issuer: root,
      notBefore: daysFromNow(-9),
      notAfter: daysFromNow(-3),
    });
    const leaf = await makeClient({ subject: 'young', issuer: ca });
    const knocked = await knock([root], [leaf, ca]);
    refused(
      knocked,
      'CLIENT_CERTIFICATE_EXPIRED',
      'CERT_HAS_EXPIRED',
      /CA certificate "CN=Old Issuing"/,
      /itself is in date/,
      /client\.crt/,
    );
    const inBundle = await knock([ca, stranger], [leaf]);
    refused(inBundle, 'CLIENT_CERTIFICATE_EXPIRED', 'CERT_HAS_EXPIRED', /"CN=Old Issuing"/, /endpoint's CA bundle/);
  });

  it('a client from the future, saying by how much', async () => {
    const now = new Date();
    const early = await makeClient({ subject: 'early', issuer: root, notBefore: new Date(now.getTime() + 47_000) });
    const knocked = await knock([root], [early], { now });
    refused(
      knocked,
      'CLIENT_CERTIFICATE_NOT_YET_VALID',
      'CERT_NOT_YET_VALID',
      /becomes valid in 4[67] s/,
      /a clock is behind/,
    );
  });

  it('a client below an intermediate from the future', async () => {
    const ca = await makeCa({ subject: 'Early', issuer: root, notBefore: daysFromNow(2) });
    const leaf = await makeClient({ subject: 'leaf', issuer: ca });
    const knocked = await knock([root], [leaf, ca]);
    refused(
      knocked,
      'CLIENT_CERTIFICATE_NOT_YET_VALID',
      'CERT_NOT_YET_VALID',
      /"CN=Early".* becomes valid in 2 days|48 h/,
    );
  });

  it('by its own clock too, when OpenSSL has admitted', async () => {
    const late = await knock([root], [client], { now: client.facts.notAfter });
    refused(late, 'CLIENT_CERTIFICATE_EXPIRED', null);
    const early = await knock([root], [client], { now: new Date(client.facts.notBefore.getTime() - 1) });
    refused(early, 'CLIENT_CERTIFICATE_NOT_YET_VALID', null);
    admitted(await knock([root], [client], { now: client.facts.notBefore }), client);
  });

  it('a client of another CA, naming the issuer sent and the CAs trusted', async () => {
    const leaf = await makeClient({ subject: 'foreign', issuer: stranger });
    const knocked = await knock([root], [leaf]);
    refused(
      knocked,
      'UNKNOWN_ISSUER',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      /CN=Other Root, O=Stranger/,
      /trusts "CN=Root, O=Example ORG"/,
      /bundle; or, if it is an intermediate/,
    );
    const withRoot = await knock([root], [leaf, stranger]);
    refused(withRoot, 'UNKNOWN_ISSUER', 'SELF_SIGNED_CERT_IN_CHAIN', /leads to the root "CN=Other Root/);
  });

  it('a self-signed client', async () => {
    const selfSigned = await make({ subject: 'me', extensions: [basicConstraints(false)] });
    refused(await knock([root], [selfSigned]), 'UNKNOWN_ISSUER', 'DEPTH_ZERO_SELF_SIGNED_CERT', /self-signed/);
  });

  it('a client of a CA that was made anew under the same name', async () => {
    const before = await makeCa({ subject: { organization: 'Example ORG', commonName: 'Root' } });
    const leaf = await makeClient({ subject: 'left behind', issuer: before });
    refused(
      await knock([root], [leaf]),
      'UNKNOWN_ISSUER',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      /made anew under the same name/,
    );
    const v1 = await make({ subject: 'v1', issuer: before, keyIds: false });
    refused(await knock([root], [v1]), 'UNKNOWN_ISSUER', 'CERT_SIGNATURE_FAILURE', /made anew under the same name/);
  });

  it('a client that leaves out its intermediate, by three kinds of evidence', async () => {
    const authorityCertIssuer = extension(
      '2.5.29.35',
      false,
      sequence(context(1, context(4, root.name)), contextPrimitive(2, integer(Uint8Array.of(7)).subarray(2))),
    );
    const telling = await make({
      subject: 'telling',
      issuer: issuing,
      keyIds: false,
      extensions: [authorityCertIssuer],
    });
    const code = 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
    const bySerial = await knock([root], [telling]);
    refused(
      bySerial,
      'INTERMEDIATE_MISSING',
      code,
      /which is issued by "CN=Root/,
      /Append the certificate of "CN=Issuing CA/,
    );

    const elsewhere = await makeCa({ subject: 'Nothing In Common', issuer: root });
    const leaf = await makeClient({ subject: 'known', issuer: elsewhere });
    refused(await knock([root], [leaf]), 'UNKNOWN_ISSUER', code);
    refused(await knock([root], [leaf], { known: [elsewhere] }), 'INTERMEDIATE_MISSING', code, /is issued by "CN=Root/);

    refused(
      await knock([root], [below]),
      'INTERMEDIATE_MISSING',
      code,
      /is probably issued by "CN=Root/,
      /if it is a CA of its own/,
    );
  });

  it('a client whose chain breaks above the intermediate that it sent', async () => {
    const deep = await makeCa({ subject: { organization: 'Example ORG', commonName: 'Deep' }, issuer: issuing });
    const leaf = await makeClient({ subject: 'leaf', issuer: deep });
    refused(
      await knock([root], [leaf, deep]),
      'INTERMEDIATE_MISSING',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      /CN=Issuing CA/,
    );
  });

  it('a certificate for servers, for any purpose, or whose key may not sign', async () => {
    const forServers = await make({ subject: 's', issuer: root, extensions: [extendedKeyUsage(Purpose.SERVER_AUTH)] });
    refused(await knock([root], [forServers]), 'WRONG_PURPOSE', 'INVALID_PURPOSE', /is for serverAuth, not/);
    const forAny = await make({ subject: 'a', issuer: root, extensions: [extendedKeyUsage(Purpose.ANY)] });
    refused(await knock([root], [forAny]), 'WRONG_PURPOSE', 'INVALID_PURPOSE', /anyExtendedKeyUsage/);
    const mute = await make({ subject: 'm', issuer: root, extensions: [keyUsage('keyEncipherment')] });
    refused(await knock([root], [mute]), 'WRONG_PURPOSE', 'INVALID_PURPOSE', /only keyEncipherment/);
  });

  it("a certificate that a delegate signed with its own certificate's key", async () => {
    const bare = await make({ subject: 'bare', issuer: root });
    for (const thief of [client, bare]) {
      const forged = await makeClient({ subject: 'forged', issuer: thief });
      assert.ok(thief === client || (forged.x509.checkIssued(bare.x509) && forged.x509.verify(bare.x509.publicKey)));
      const knocked = await knock([root], [forged, thief]);
      // An issuer whose key usage forbids signing certificates has an error that Node has no name for.
      const code = thief === client ? 'UNSPECIFIED' : 'INVALID_PURPOSE';
      refused(knocked, 'WRONG_PURPOSE', code, /issued by "CN=(Client|bare).*", which is not a CA/);
    }
  });

  it('a client below a CA that is not for clients', async () => {
    const extensions = [basicConstraints(true), extendedKeyUsage(Purpose.SERVER_AUTH)];
    const ca = await make({ subject: 'Web CA', issuer: root, extensions });
    const leaf = await makeClient({ subject: 'leaf', issuer: ca });
    refused(await knock([root], [leaf, ca]), 'WRONG_PURPOSE', 'INVALID_PURPOSE', /The CA "CN=Web CA" .* may not issue/);
  });

  it('a CA that presents itself as a client, which OpenSSL admits', async () => {
    const signing = await make({ subject: 'Signing CA', issuer: root, extensions: [basicConstraints(true)] });
    refused(await knock([root], [signing]), 'CA_AS_LEAF', null, /CA certificate "CN=Signing CA"/);
    const rootWithKey = await make({ subject: 'Bundle CA', extensions: [basicConstraints(true)] });
    refused(
      await knock([rootWithKey], [rootWithKey]),
      'CA_AS_LEAF',
      null,
      /with the key of a CA that the endpoint trusts/,
    );
    refused(await knock([root], [issuing]), 'CA_AS_LEAF', 'INVALID_PURPOSE');
    const v1Root = await make({ subject: 'v1 Root', keyIds: false });
    refused(await knock([v1Root], [v1Root]), 'CA_AS_LEAF', null);
    const disguised = await makeClient({ subject: 'disguised', issuer: root, keys: root.keys });
    refused(await knock([root], [disguised]), 'CA_AS_LEAF', null, /the certificate "CN=disguised"/);
  });

  it('a path that is longer than a CA allows', async () => {
    const last = await makeCa({ subject: 'Last', issuer: root, pathLength: 0 });
    const tooDeep = await makeCa({ subject: 'Too Deep', issuer: last });
    const leaf = await makeClient({ subject: 'leaf', issuer: tooDeep });
    refused(
      await knock([root], [leaf, tooDeep, last]),
      'CLIENT_CERTIFICATE_REJECTED',
      'PATH_LENGTH_EXCEEDED',
      /path length/,
    );
  });

  it('a name that the CA may not give, and a critical extension that nobody knows', async () => {
    const permitted = extension(
      '2.5.29.30',
      true,
      sequence(context(0, sequence(contextPrimitive(2, ia5String('example.test').subarray(2))))),
    );
    const ca = await make({ subject: 'Narrow', issuer: root, extensions: [basicConstraints(true), permitted] });
    const san = extension('2.5.29.17', false, sequence(contextPrimitive(2, ia5String('other.test').subarray(2))));
    const leaf = await make({ subject: 'leaf', issuer: ca, extensions: [san] });
    refused(
      await knock([root], [leaf, ca]),
      'CLIENT_CERTIFICATE_REJECTED',
      'UNSPECIFIED',
      /"CN=Narrow" above it has name constraints.*dns:other\.test/,
    );
    const odd = await make({ subject: 'odd', issuer: root, extensions: [extension('1.2.3.4', true, nullValue())] });
    refused(await knock([root], [odd]), 'CLIENT_CERTIFICATE_REJECTED', 'UNSPECIFIED', /does not know \(1\.2\.3\.4\)/);
  });

  it('everything while no server name leads to an endpoint', () => {
    const unknown = {
      endpoint: null,
      presented: null,
      verification: { authorized: true, errorCode: null },
      now: new Date(),
    };
    const verdicts = [
      judgeConnection({ ...unknown, serverName: 'x.test\n' }),
      judgeConnection({ ...unknown, serverName: null }),
    ];
    for (const verdict of verdicts) assert.equal(!verdict.admitted && verdict.reason, 'UNKNOWN_ENDPOINT');
    assert.match(verdicts.map((verdict) => !verdict.admitted && verdict.message).join(), /"x\.test\\0a".*no SNI/);
    reached.add('UNKNOWN_ENDPOINT');
  });

  it('with every reason of a connection', () => {
    const ofAccounts = ['AUTHORITY_MISMATCH', 'MTLS_REQUIRED'];
    const ofPolicies = ['CERTIFICATE_DENIED', 'CERTIFICATE_REVOKED', 'CRL_EXPIRED', 'IDENTITY_NOT_ALLOWED'];
    assert.deepEqual([...reached, ...ofAccounts, ...ofPolicies].sort(), Object.values(RefusalReason).sort());
  });
});
