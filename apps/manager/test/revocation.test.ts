import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { createTestDatabase, DevManager, eventually, TestAuthority, testPostgres } from '@sallyport/dev-env';
import { readPemBlocks } from '@sallyport/trust';
import { onBothManagers } from './both-managers.ts';
import { PolicyRig, warningsOf } from './policy-rig.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

// Certificate revocation lists, by real handshakes and live connections.

const bothTest = onBothManagers({ environment: { SALLYPORT_WEBHOOK_LOOPBACK_HTTP: 'allow' } });
const postgresUrl = testPostgres();

const derOf = (pem: string) => readPemBlocks(pem)[0]?.der ?? new Uint8Array();

bothTest('a CRL refuses and cuts whom it revokes, and nobody else', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'revoking');
  const [bad, good] = [await rig.authority.client('bad'), await rig.authority.client('good')];
  const streams = { cut: [await rig.stream('bad', bad)], kept: [await rig.stream('good', good)], with: bad };
  const crl = await rig.authority.crl([bad], { number: 7 });
  await rig.cuts('CERTIFICATE_REVOKED', () => rig.must('PUT', 'crl', { crl }), streams);
  assert.match(
    await rig.knock(bad),
    /^CERTIFICATE_REVOKED: .*"CN=bad".* is revoked by the CRL of "CN=revoking CA" \(number 7, /,
  );
  assert.equal(await rig.knock(good), 'ADMITTED');
  const refusals = await rig.must('GET', 'refusals');
  const [refusal] = refusals.body['resource'] as unknown as { reason: string; certificate: { subject: string } }[];
  assert.deepEqual([refusal?.reason, refusal?.certificate.subject], ['CERTIFICATE_REVOKED', 'CN=bad']);

  // A later list that does not have it any more lets it in again: it was on hold.
  await rig.must('PUT', 'crl', { crl: await rig.authority.crl([good, good], { number: 8 }) });
  assert.equal(await rig.knock(bad), 'ADMITTED');
});

bothTest(
  'a revoked intermediate takes its clients along, with the root alone in the bundle or both',
  async (t, dev) => {
    const rig = await PolicyRig.create(t, dev, 'chain');
    const issuing = await TestAuthority.create('Issuing', { issuer: rig.authority });
    const leaf = await issuing.client('leaf');
    const sent = { ...leaf, certificatePem: leaf.certificatePem + issuing.certificatePem };
    const bundle = rig.authority.certificatePem + issuing.certificatePem;
    const crl = await rig.authority.crl([issuing.pair]);
    const cut = [await rig.stream('leaf', sent)];
    await rig.cuts('CERTIFICATE_REVOKED', () => rig.must('PUT', 'crl', { crl }), { cut, with: sent });
    assert.match(await rig.knock(sent), /^CERTIFICATE_REVOKED: The CA certificate "CN=Issuing" above /);
    await rig.must('PATCH', 'endpoint', { caCertificates: bundle });
    assert.match(await rig.knock(leaf), /^CERTIFICATE_REVOKED: The CA certificate "CN=Issuing" above /);
  },
);

bothTest('a CA that is added above the one in use, with a CRL that revokes it, cuts who came by it', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'above');
  const issuing = await TestAuthority.create('Issuing', { issuer: rig.authority });
  const leaf = await issuing.client('leaf');
  await rig.must('PATCH', 'endpoint', { caCertificates: issuing.certificatePem });
  const stream = await rig.stream('leaf', leaf);
  await rig.must('PATCH', 'endpoint', { caCertificates: issuing.certificatePem + rig.authority.certificatePem });
  assert.equal(stream.isOpen, true, 'adding a CA ends nobody');
  await rig.must('PUT', 'crl', { crl: await rig.authority.crl([issuing.pair]) });
  assert.match((await stream.closed).reason, /^CERTIFICATE_REVOKED: /);
});

bothTest('a CRL that expires cuts its clients at that moment, and is what they are told', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'expiring');
  const client = await rig.authority.client('client');
  // CRLs know whole seconds.
  const nextUpdate = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1_000);
  const crl = await rig.authority.crl([], { nextUpdate });
  await rig.must('PUT', 'crl', { crl });
  const stream = await rig.stream('client', client);
  const { reason } = await stream.closed;
  const late = Date.now() - nextUpdate.getTime();
  assert.match(reason, /^CRL_EXPIRED: The CRL of "CN=expiring CA" expired /);
  assert.ok(late >= 0 && late < 500, `${late} ms after nextUpdate`);
  assert.match(await rig.knock(client), /^CRL_EXPIRED: .*Nothing is wrong with the certificate/);

  await rig.must('PATCH', 'crl-policy', { whenExpired: 'USE_STALE', staleHours: 1 });
  assert.equal(await rig.knock(client), 'ADMITTED');
  const shown = await rig.must('GET', 'crl');
  assert.deepEqual(warningsOf(shown), ['CRL_STALE']);
  assert.equal(shown.body['resource']?.[0]?.['state'], 'STALE');

  const again = await rig.stream('client', client);
  await rig.must('PATCH', 'crl-policy', { whenExpired: 'REFUSE' });
  assert.match((await again.closed).reason, /^CRL_EXPIRED: /);
  assert.deepEqual(warningsOf(await rig.must('GET', 'crl')), ['CRL_EXPIRED']);
  await rig.must('PUT', 'crl', { crl: await rig.authority.crl([], { number: 2 }) });
  assert.equal(await rig.knock(client), 'ADMITTED');
});

bothTest('an older CRL is refused unless forced, a shorter one is taken, and both are noticed', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'order');
  const receiver = await WebhookReceiver.start(t);
  await rig.must('POST', 'webhooks', { url: receiver.url(), events: ['crl.suspicious'] });
  const clients = [await rig.authority.client('one'), await rig.authority.client('two')];
  const earlier = new Date(Date.now() - 120_000);
  const first = await rig.authority.crl([], { number: 5, thisUpdate: earlier });
  const second = await rig.authority.crl(clients, { number: 6 });
  await rig.must('PUT', 'crl', { crl: first });
  assert.deepEqual(warningsOf(await rig.must('PUT', 'crl', { crl: second })), []);
  for (const [old, why] of [
    [first, /number 5, of .* is older than the one in use \(number 6/],
    [await rig.authority.crl(clients, { number: 5 }), /number 5/],
    [await rig.authority.crl(clients, { number: 9, thisUpdate: earlier }), /number 9/],
  ] as const) {
    const refused = await rig.call('PUT', 'crl', { crl: old });
    assert.deepEqual([refused.status, refused.body['code']], [409, 'CONFLICT']);
    assert.match(String(refused.body['message']), why);
    assert.equal((await rig.call('PUT', 'crl', { crl: old })).status, 409);
  }
  const refusedOnes = await rig.audit('crl.suspicious');
  assert.deepEqual(
    refusedOnes.map(({ details }) => (details as { code: string }).code),
    ['CRL_OLDER_REFUSED', 'CRL_OLDER_REFUSED', 'CRL_OLDER_REFUSED'],
    'each list once, however often it is sent',
  );
  assert.match((await receiver.next('crl.suspicious', 3)).body, /CRL_OLDER_REFUSED.*was refused: it is older/);
  assert.match(dev.log(), /"code":"CRL_OLDER_REFUSED"/);
  assert.match(await rig.knock(clients[0] ?? assert.fail()), /^CERTIFICATE_REVOKED/);
  const shorter = await rig.must('PUT', 'crl', { crl: await rig.authority.crl(clients.slice(1), { number: 7 }) });
  assert.deepEqual(warningsOf(shorter), ['CRL_SHORTER']);
  assert.deepEqual(warningsOf(await rig.must('PUT', 'crl', { crl: first }, '&force=true')), [
    'CRL_OLDER',
    'CRL_SHORTER',
  ]);
  const suspicious = (await rig.audit('crl.suspicious')).map(({ details }) => (details as { code: string }).code);
  assert.deepEqual(suspicious.sort(), [
    'CRL_OLDER',
    ...Array(3).fill('CRL_OLDER_REFUSED'),
    'CRL_SHORTER',
    'CRL_SHORTER',
  ]);
  assert.equal((await rig.audit('crl.uploaded')).length, 4);
  assert.match(dev.log(), /"code":"CRL_OLDER"/);
});

bothTest('what is no CRL of the account’s CAs is refused, and nothing of it is kept', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'wrong');
  const stranger = await TestAuthority.create('Stranger');
  const namesake = await TestAuthority.create('wrong CA');
  const yesterday = new Date(Date.now() - 86_400_000);
  const old = await TestAuthority.create('old', { now: yesterday });
  await rig.must('PATCH', 'endpoint', { caCertificates: rig.authority.certificatePem + old.certificatePem });
  const expired = await old.crl([], { thisUpdate: yesterday });
  const good = await rig.authority.crl([]);
  for (const [crl, problem] of [
    [await stranger.crl([]), 'UNKNOWN_ISSUER'],
    [await namesake.crl([]), 'UNKNOWN_ISSUER'],
    [expired, 'EXPIRED'],
    [await rig.authority.crl([], { thisUpdate: new Date(Date.now() + 3_600_000) }), 'NOT_YET_VALID'],
    [good + good, 'SAME_ISSUER_TWICE'],
    [good + (await stranger.crl([])), 'UNKNOWN_ISSUER'],
    [rig.authority.certificatePem, 'UNEXPECTED_BLOCK'],
    [good + rig.authority.pair.privateKeyPem, 'PRIVATE_KEY'],
    ['', 'EMPTY'],
  ] as const) {
    const answer = await rig.call('PUT', 'crl', { crl });
    assert.deepEqual([answer.status, answer.body['code']], [400, 'INVALID_CRL'], problem);
    const [message] = answer.body['responseMessages'] as unknown as [{ additionalInfo: { problem: string } }];
    assert.equal(message.additionalInfo.problem, problem);
  }
  assert.doesNotMatch(dev.log(), /PRIVATE KEY-----/);
  assert.deepEqual((await rig.must('GET', 'crl')).body['resource'], []);
  // Forced, an expired one counts as what it is.
  await rig.must('PUT', 'crl', { crl: expired }, '&force=true');
  assert.match(await rig.knock(await old.client('client', { now: new Date() })), /^CRL_EXPIRED/);
  assert.equal(await rig.knock(await rig.authority.client('client')), 'ADMITTED');
  assert.equal((await rig.call('PUT', 'crl', { list: good })).status, 400);
  assert.equal((await rig.upload('application/json', '{"crl": "')).status, 400);
  assert.equal((await rig.upload('text/plain', good)).status, 400);
  assert.equal((await rig.upload('application/pkix-crl', new Uint8Array(8 * 1024 * 1024 + 1))).status, 413);
  const unknown = await rig.dev.api('PUT', '/ng/api/agent/mtls/crl?accountIdentifier=nobody', { crl: good });
  assert.equal(unknown.status, 404);
});

bothTest('lists are taken as they are published, PEM or DER, several at once, shown and deleted', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'forms');
  const second = await TestAuthority.create('Second CA');
  await rig.must('PATCH', 'endpoint', { caCertificates: rig.authority.certificatePem + second.certificatePem });
  const [one, two] = [await rig.authority.client('one'), await second.client('two')];
  const [first, other] = [await rig.authority.crl([one]), await second.crl([two])];
  assert.equal((await rig.upload('application/pkix-crl', derOf(first))).status, 200);
  assert.match(await rig.knock(one), /^CERTIFICATE_REVOKED/);
  assert.equal(await rig.knock(two), 'ADMITTED');
  assert.equal((await rig.upload('application/x-pem-file', first + other)).status, 200);
  assert.match(await rig.knock(two), /^CERTIFICATE_REVOKED/);
  const viewer = await dev.api('GET', rig.fleet.path('crl'), undefined, rig.fleet.account.viewerKey);
  const shown = viewer.body['resource'] as unknown as Record<string, unknown>[];
  assert.deepEqual(
    shown.map(({ issuer, number, entries, state, lifePassed, inBundle }) => [
      issuer,
      number,
      entries,
      state,
      lifePassed,
      inBundle,
    ]),
    [
      ['CN=Second CA', '1', 1, 'CURRENT', 0, true],
      ['CN=forms CA', '1', 1, 'CURRENT', 0, true],
    ],
  );
  assert.deepEqual(viewer.body['metaData']?.['policy'], { whenExpired: 'REFUSE', staleHours: 0 });
  for (const [index, key] of ['issuerKey', 'authority'].entries()) {
    await rig.must('DELETE', `crl/${String(shown[index]?.[key]).toUpperCase()}`);
  }
  assert.equal(await rig.knock(one), 'ADMITTED');
  assert.deepEqual((await rig.must('GET', 'crl')).body['resource'], []);
  assert.equal((await rig.call('DELETE', `crl/${shown[0]?.['issuerKey']}`)).status, 404);
  assert.equal((await rig.audit('crl.deleted')).length, 2);
});

bothTest('the rule for expired lists is whole or refused', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'rule');
  for (const body of [
    {},
    { whenExpired: 'USE_STALE' },
    { staleHours: 5 },
    { whenExpired: 'REFUSE', staleHours: 1 },
    { whenExpired: 'USE_STALE', staleHours: 721 },
    { whenExpired: 'IGNORE' },
  ]) {
    assert.equal((await rig.call('PATCH', 'crl-policy', body)).status, 400, JSON.stringify(body));
  }
  const change = async (body: object) => (await rig.must('PATCH', 'crl-policy', body)).body['resource'];
  assert.deepEqual(await change({ whenExpired: 'USE_STALE', staleHours: 24 }), {
    whenExpired: 'USE_STALE',
    staleHours: 24,
  });
  assert.deepEqual(await change({ staleHours: 48 }), { whenExpired: 'USE_STALE', staleHours: 48 });
  assert.deepEqual(await change({ whenExpired: 'REFUSE' }), { whenExpired: 'REFUSE', staleHours: 0 });
  assert.deepEqual((await rig.must('GET', 'crl-policy')).body['resource'], { whenExpired: 'REFUSE', staleHours: 0 });
});

test('a stored list that cannot be read whole admits nobody of its account, and cuts who is there', async (t) => {
  const dev = await DevManager.start();
  t.after(() => dev.stop());
  const rig = await PolicyRig.create(t, dev, 'damaged');
  const [client, other] = [await rig.authority.client('client'), await rig.authority.client('other')];
  await rig.must('PUT', 'crl', { crl: await rig.authority.crl([client]) });
  const stream = await rig.stream('other', other);
  const database = new DatabaseSync(join(dev.dataDirectory, 'sallyport.db'));
  // Other bytes under another digest, as a list of its own; the one that is in memory stands for its own digest only.
  database.prepare("UPDATE crl_parts SET bytes = ?, digest = 'x'").run(Uint8Array.of(1, 0, 0, 0, 1, 1));
  database.exec("UPDATE crls SET digest = 'x', serials_bytes = 6, entries = 2");
  database.close();
  await rig.must('PATCH', 'crl-policy', { whenExpired: 'USE_STALE', staleHours: 1 });
  assert.match((await stream.closed).reason, /^SERVICE_UNAVAILABLE: /);
  await assert.rejects(rig.knock(other));
  assert.equal(await rig.knock(other, rig.neighbour), 'ADMITTED');
});

test('a list is in force after a restart, and at once at another replica', async (t) => {
  const url = await createTestDatabase(await postgresUrl());
  const environment = { SALLYPORT_DATABASE_URL: url, SALLYPORT_MASTER_KEY: '5a'.repeat(32) };
  const first = await DevManager.start({ environment });
  t.after(() => first.stop());
  const second = await DevManager.start({ environment });
  t.after(() => second.stop());
  const rig = await PolicyRig.create(t, first, 'replicas');
  const client = await rig.authority.client('client');
  const there = rig.through(second);
  const stream = await there.stream('client', client);
  await rig.must('PUT', 'crl', { crl: await rig.authority.crl([client]) });
  const { reason } = await eventually('the other replica cuts it', () => Promise.race([stream.closed, null]));
  assert.match(reason, /^CERTIFICATE_REVOKED: /);
  assert.match(await there.knock(client), /^CERTIFICATE_REVOKED/);
  await first.stop();
  const third = await DevManager.start({ environment });
  t.after(() => third.stop());
  assert.match(await rig.through(third).knock(client), /^CERTIFICATE_REVOKED/);
});
