import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { type DevAnswer, TestAuthority } from '@sallyport/dev-env';
import type { CutOff } from '@sallyport/protocol';
import { issueClientCertificate } from '@sallyport/trust';
import { onBothManagers } from './both-managers.ts';
import { PolicyRig, warningsOf } from './policy-rig.ts';

// Certificates that an account denies, and identities that it allows.

const bothTest = onBothManagers();

bothTest(
  'a denied certificate is refused and cut at once, by fingerprint or by issuer and serial number',
  async (t, dev) => {
    const rig = await PolicyRig.create(t, dev, 'denying');
    const good = await rig.authority.client('good');
    const kept = [await rig.stream('good', good)];
    for (const by of ['fingerprint', 'issuer']) {
      const bad = await rig.authority.client(`bad-${by}`);
      const { fingerprint256, serialNumber } = new X509Certificate(bad.certificatePem);
      const request =
        by === 'fingerprint'
          ? { fingerprint: fingerprint256, note: 'stolen' }
          : { issuer: 'cn = denying CA', serialNumber: `0x${serialNumber.toLowerCase()}` };
      const cut = [await rig.stream(`bad-${by}`, bad)];
      const deny = () => rig.must('POST', 'denied-certificates', request);
      await rig.cuts('CERTIFICATE_DENIED', deny, { cut, kept, with: bad });
      assert.match(await rig.knock(bad), new RegExp(`^CERTIFICATE_DENIED: .*"CN=bad-${by}"`));
      assert.equal(await rig.knock(good), 'ADMITTED');
      const again = await rig.must('POST', 'denied-certificates', request);
      const listed = (await rig.must('GET', 'denied-certificates')).body['resource'] as unknown as { uuid: string }[];
      assert.deepEqual(listed, [again.body['resource']], 'denied once, however often');
      const identifier = by === 'fingerprint' ? fingerprint256 : listed[0]?.uuid;
      await rig.must('DELETE', `denied-certificates/${identifier}`);
      assert.equal(await rig.knock(bad), 'ADMITTED');
      assert.equal((await rig.call('DELETE', `denied-certificates/${identifier}`)).status, 404);
    }
    assert.equal((await rig.audit('denied-certificate.added')).length, 2);
    assert.equal((await rig.audit('denied-certificate.removed')).length, 2);
  },
);

bothTest('a denied CA takes everything below it along', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'deny-ca');
  const issuing = await TestAuthority.create('Issuing', { issuer: rig.authority });
  const leaf = await issuing.client('leaf');
  const sent = { ...leaf, certificatePem: leaf.certificatePem + issuing.certificatePem };
  const fingerprint = issuing.pair.facts.fingerprint256;
  const cut = [await rig.stream('leaf', sent)];
  const deny = () => rig.must('POST', 'denied-certificates', { fingerprint });
  await rig.cuts('CERTIFICATE_DENIED', deny, { cut, with: sent });
  assert.equal(await rig.knock(await rig.authority.client('direct')), 'ADMITTED');
});

bothTest('a certificate is denied by one whole name, and a CA that nobody knows is noticed', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'naming');
  for (const body of [
    {},
    { issuer: 'CN=naming CA' },
    { serialNumber: '01' },
    { fingerprint: 'abc' },
    { fingerprint: 'a'.repeat(64), serialNumber: '01' },
    { issuer: 'CN=a\u0000', serialNumber: '01' },
    { issuer: 'CN=a', serialNumber: 'xyz' },
    { fingerprint: 'a'.repeat(64), note: 'a\nb' },
  ]) {
    assert.equal((await rig.call('POST', 'denied-certificates', body)).status, 400, JSON.stringify(body));
  }
  const misspelt = await rig.must('POST', 'denied-certificates', {
    issuer: 'CN=naming Ca Ltd',
    serialNumber: '00 0a'.replace(' ', ':'),
  });
  assert.deepEqual(warningsOf(misspelt), ['DENIED_ISSUER_UNKNOWN']);
  assert.equal(misspelt.body['resource']?.['serialNumber'], '0A');
  const right = await rig.must('POST', 'denied-certificates', { issuer: 'cn=NAMING ca', serialNumber: '0a' });
  assert.deepEqual(warningsOf(right), []);
});

function cutOffOf(answer: DevAnswer): string[] {
  const { cutOff } = answer.body['metaData'] as unknown as { cutOff: CutOff[] };
  return cutOff.map(({ name, reason }) => `${name} ${reason}`);
}

bothTest('with allowed identities, everybody else of the same CA is cut and refused', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'allowing');
  const now = new Date();
  const issue = (name: string, organization: string) =>
    issueClientCertificate({
      ...{ authority: rig.authority.pair, name, keyAlgorithm: 'EC P-256', days: 5, now },
      subject: { organization },
    });
  const [edge, other] = [await issue('edge-1', 'somebody'), await issue('x', 'edge-1')];
  const set = (...identities: readonly object[]) => rig.must('PUT', 'allowed-identities', { identities });
  const streams = { cut: [await rig.stream('other', other)], kept: [await rig.stream('edge', edge)], with: other };
  let changed = await set();
  assert.deepEqual([cutOffOf(changed), warningsOf(changed)], [[], []]);
  const allow = async () => {
    changed = await set({ type: 'DNS', value: 'EDGE-1' });
  };
  await rig.cuts('IDENTITY_NOT_ALLOWED', allow, streams);
  assert.deepEqual(cutOffOf(changed), ['other IDENTITY_NOT_ALLOWED']);
  assert.match(
    await rig.knock(other),
    /^IDENTITY_NOT_ALLOWED: .*"CN=x, O=edge-1" \(dns:x\) has none of the identities/,
  );
  assert.equal(await rig.knock(edge), 'ADMITTED');
  await set({ type: 'SUBJECT', value: 'cn=edge-1,o=somebody' }, { type: 'SUBJECT', value: 'CN=edge-1, O=somebody' });
  assert.equal(await rig.knock(edge), 'ADMITTED');
  const kept = await rig.must('GET', 'allowed-identities');
  assert.equal(Object.keys(kept.body['resource']?.['identities'] ?? {}).length, 1, 'one name in two spellings');
  await set({ type: 'CERTIFICATE_SHA256', value: new X509Certificate(other.certificatePem).fingerprint256 });
  assert.equal(await rig.knock(other), 'ADMITTED');
  assert.match(await rig.knock(edge), /^IDENTITY_NOT_ALLOWED/);
  await set();
  assert.equal(await rig.knock(edge), 'ADMITTED');
  const nobody = await set(
    { type: 'DNS', value: 'edge-1' },
    ...['*.example.com', 'https://edge', 'edge.'].map((value) => ({ type: 'DNS', value })),
    { type: 'URI', value: 'edge-1' },
    { type: 'URI', value: 'urn:edge:1' },
    { type: 'EMAIL', value: 'edge' },
    { type: 'EMAIL', value: 'edge@example.com' },
  );
  assert.deepEqual(warningsOf(nobody), Array(5).fill('IDENTITY_MATCHES_NOBODY'));
  await set();
  const bad = await rig.call('PUT', 'allowed-identities', { identities: [{ type: 'IP', value: '10.0.0.0/8' }] });
  assert.deepEqual([bad.status, bad.body['code']], [400, 'INVALID_REQUEST']);
  assert.match(String(bad.body['message']), /"10\.0\.0\.0\/8" is no IP address/);
  assert.equal((await rig.audit('allowed-identities.updated')).length, 7);
});
