import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeCa, makeClient } from '../test/certificate-maker.ts';
import { fqdn } from '../test/first-door.ts';
import { judgeConnection } from './connection-verdict.ts';

const root = await makeCa({ subject: 'Root' });
const client = await makeClient({ subject: 'client', issuer: root });

describe('judgeConnection fails closed', () => {
  const endpoint = { fqdn, accountId: 'acme', authorities: [root.facts] };
  const presented = { leaf: client.facts, chainSent: [] };
  const fine = {
    endpoint,
    serverName: fqdn,
    presented,
    verification: { authorized: true, errorCode: null },
    now: new Date(),
  };
  const reasonOf = (change: Partial<typeof fine> | { presented: null }) => {
    const verdict = judgeConnection({ ...fine, ...change });
    return verdict.admitted ? 'ADMITTED' : verdict.reason;
  };

  it('on `authorized` without a certificate, as a resumed session reads', () => {
    assert.equal(reasonOf({}), 'ADMITTED');
    assert.equal(reasonOf({ presented: null }), 'NO_CLIENT_CERTIFICATE');
  });
  it('on an endpoint that trusts nobody', () => {
    assert.equal(reasonOf({ endpoint: { ...endpoint, authorities: [] } }), 'UNKNOWN_ISSUER');
  });
  it('on a verification that contradicts itself', () => {
    const rejected = 'CLIENT_CERTIFICATE_REJECTED';
    assert.equal(judgeConnection({ ...fine, verification: { authorized: false, errorCode: null } }).admitted, false);
    const both = judgeConnection({ ...fine, verification: { authorized: true, errorCode: 'CERT_REJECTED' } });
    assert.equal(!both.admitted && both.reason, rejected);
  });
  it('on dates that can not be read, and on malformed certificates', () => {
    for (const field of ['notBefore', 'notAfter'] as const) {
      const leaf = { ...client.facts, [field]: new Date(Number.NaN) };
      assert.notEqual(reasonOf({ presented: { leaf, chainSent: [] } }), 'ADMITTED');
    }
    const leaf = { ...client.facts, malformed: 'an indefinite length' };
    assert.equal(reasonOf({ presented: { leaf, chainSent: [] } }), 'CLIENT_CERTIFICATE_REJECTED');
  });
  it('on every code that OpenSSL may give, known to us or not', () => {
    const codes = [
      'CERT_HAS_EXPIRED',
      'CERT_NOT_YET_VALID',
      'INVALID_CA',
      'CERT_CHAIN_TOO_LONG',
      'CERT_REVOKED',
      'UNSPECIFIED',
      'NEW',
    ];
    for (const errorCode of codes) {
      const verdict = judgeConnection({ ...fine, verification: { authorized: false, errorCode } });
      assert.ok(!verdict.admitted && verdict.message.includes(errorCode), errorCode);
    }
  });
});
