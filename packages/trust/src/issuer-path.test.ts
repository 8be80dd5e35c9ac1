import assert from 'node:assert/strict';
import { type KeyObject, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { make, makeCa, makeClient } from '../test/certificate-maker.ts';
import { findAnchor } from './issuer-path.ts';

const root = await makeCa({ subject: 'Root' });
const twin = await makeCa({ subject: 'Root', keyIds: false });
const issuing = await makeCa({ subject: 'Issuing', issuer: root });
const client = await makeClient({ subject: 'client', issuer: root });
const below = await makeClient({ subject: 'below', issuer: issuing });

describe('findAnchor', () => {
  it('names the CA that signed the leaf', () => {
    assert.equal(findAnchor(client.x509, [], [issuing.facts, root.facts]), root.facts.fingerprint256);
  });

  it('tells two CAs with one subject and two keys apart, with and without key ids', async () => {
    const ofTwin = await make({ subject: 'v1', issuer: twin, keyIds: false });
    for (const authorities of [
      [root.facts, twin.facts],
      [twin.facts, root.facts],
    ]) {
      assert.equal(findAnchor(client.x509, [], authorities), root.facts.fingerprint256);
      assert.equal(findAnchor(ofTwin.x509, [], authorities), twin.facts.fingerprint256);
    }
  });

  it('goes up through what the client sent, in any order and among strangers', async () => {
    const deep = await makeCa({ subject: 'Deep', issuer: issuing });
    const leaf = await makeClient({ subject: 'leaf', issuer: deep });
    const sent = [root.x509, client.x509, issuing.x509, deep.x509];
    assert.equal(findAnchor(leaf.x509, sent, [root.facts]), root.facts.fingerprint256);
  });

  it('takes the nearest CA of the bundle', () => {
    assert.equal(findAnchor(below.x509, [issuing.x509], [root.facts, issuing.facts]), issuing.facts.fingerprint256);
  });

  it('finds none for a stranger, for an empty bundle, and for a missing intermediate', () => {
    assert.equal(findAnchor(client.x509, [], [twin.facts]), null);
    assert.equal(findAnchor(client.x509, [], []), null);
    assert.equal(findAnchor(below.x509, [], [root.facts]), null);
  });

  it('ends on loops', async () => {
    const there = await makeCa({ subject: 'There', issuer: root, keyIds: false });
    const back = await makeCa({ subject: 'Root', issuer: there, keys: root.keys, keyIds: false });
    const andThere = await makeCa({ subject: 'There', issuer: back, keys: there.keys, keyIds: false });
    const leaf = await makeClient({ subject: 'leaf', issuer: there, keyIds: false });
    assert.equal(findAnchor(leaf.x509, [andThere.x509, back.x509, there.x509, back.x509], [twin.facts]), null);
  });

  it('bounds the signature checks that 100 intermediates of one name cost', async () => {
    let checks = 0;
    const counted = (certificate: X509Certificate): X509Certificate =>
      Object.defineProperty(certificate, 'verify', {
        value: (key: KeyObject) => {
          checks++;
          return X509Certificate.prototype.verify.call(certificate, key);
        },
      });
    let issuer = twin;
    const ladder = [];
    for (let rung = 0; rung < 100; rung++) {
      issuer = await makeCa({ subject: 'Rung', issuer, keyIds: false });
      ladder.push(counted(issuer.x509));
    }
    const leaf = await makeClient({ subject: 'leaf', issuer, keyIds: false });
    findAnchor(counted(leaf.x509), ladder, [root.facts]);
    assert.ok(checks > 100 && checks <= 128, `${checks} checks`);
  });
});
