import assert from 'node:assert/strict';
import { TestAuthority } from '@sallyport/dev-env';
import type { AuditEvent, AuthorityDetails, CutOff } from '@sallyport/protocol';
import { createAuthority } from '@sallyport/trust';
import { onBothManagers } from './both-managers.ts';
import { FleetRig } from './fleet-rig.ts';

const managerTest = onBothManagers();

const list = async (rig: FleetRig, query = ''): Promise<AuthorityDetails[]> =>
  (await rig.dev.must(
    'GET',
    rig.path('authorities', query),
    undefined,
    rig.account.viewerKey,
  )) as unknown as AuthorityDetails[];

const add = (rig: FleetRig, caCertificates: string) =>
  rig.dev.api('POST', rig.path('authorities'), { caCertificates }, rig.account.adminKey);

const remove = (rig: FleetRig, fingerprint: string, query = '') =>
  rig.dev.api('DELETE', rig.path(`authorities/${fingerprint}`, query), undefined, rig.account.adminKey);

const names = (authority: AuthorityDetails | undefined) =>
  authority?.usedBy.map(({ name, connected }) => `${name} ${connected}`);

managerTest('a rotation, step by step: added, used, safe to remove, removed', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'rotation');
  const edge = await rig.onMtls('edge');
  await rig.plain('plain');
  const next = await TestAuthority.create('Next CA');
  const added = await add(rig, next.certificatePem);
  assert.equal(added.status, 200, JSON.stringify(added.body));
  const [old, fresh] = await list(rig);
  assert.deepEqual([old?.subject, fresh?.subject], ['CN=rotation CA', 'CN=Next CA']);
  assert.deepEqual(added.body['metaData']?.['added'], [fresh?.fingerprint]);
  assert.deepEqual(added.body['metaData']?.['cutOff'], []);
  assert.deepEqual([names(old), names(fresh)], [['edge true'], []]);
  assert.deepEqual([old?.safeToRemove, fresh?.safeToRemove, fresh?.safeSince], [false, true, null]);
  assert.match(old?.advice ?? '', /^edge is connected under it/);
  assert.deepEqual([fresh?.inDate, fresh?.selfSigned, fresh?.keyAlgorithm], [true, true, 'EC P-256']);

  const refused = await remove(rig, old?.fingerprint ?? '');
  assert.equal(refused.status, 409);
  assert.match(
    String(refused.body['message']),
    /^"CN=rotation CA" is needed by edge, seen with it in the last 30 days/,
  );
  const info = refused.body['responseMessages']?.[0 as never]?.['additionalInfo'];
  assert.equal(info?.['neededBy']?.[0 as never]?.['delegateId'], edge.id);
  assert.equal((await edge.heartbeat()).status, 200);

  await edge.on(await rig.mtlsConnection(await next.client('edge'))).heartbeat();
  const before = Date.now();
  const [left, current] = await list(rig);
  assert.deepEqual([names(left), names(current)], [['edge false'], ['edge true']]);
  assert.equal(left?.safeToRemove, true);
  assert.ok(Math.abs((left?.safeSince ?? 0) - before) < 5_000, 'since the delegate came to the new one');
  const removed = await remove(rig, (left?.fingerprint ?? '').toUpperCase().replace(/(..)(?=.)/g, '$1:'));
  assert.equal(removed.status, 200, JSON.stringify(removed.body));
  assert.deepEqual(
    (await list(rig)).map(({ subject }) => subject),
    ['CN=Next CA'],
  );
  const audit = (await dev.must('GET', `/ng/api/audit?accountIdentifier=rotation&limit=1`)) as unknown as AuditEvent[];
  assert.deepEqual(audit[0]?.details['authorities'], [{ subject: 'CN=Next CA', fingerprint: current?.fingerprint }]);
});

managerTest('force removes a CA that is needed, and names who it cut off', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'forced');
  const edge = await rig.onMtls('edge');
  const next = await TestAuthority.create('Next CA');
  await add(rig, next.certificatePem);
  const [old] = await list(rig);
  const { status, body } = await remove(rig, old?.fingerprint ?? '', '&force=true');
  assert.equal(status, 200);
  const { cutOff } = body['metaData'] as unknown as { cutOff: CutOff[] };
  assert.deepEqual(
    cutOff.map(({ delegateId, reason }) => [delegateId, reason]),
    [[edge.id, 'UNKNOWN_ISSUER']],
  );
  await edge.connection.gone;
});

managerTest('the last usable CA cannot be removed, by force neither', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'last');
  await rig.onMtls('edge');
  const [only] = await list(rig);
  assert.match(only?.advice ?? '', /only CA of the bundle that is in date/);
  const past = new Date(Date.now() - 400 * 86_400_000);
  const expired = await TestAuthority.create('Expired CA', { now: past, days: 365 });
  const alone = await add(rig, expired.certificatePem);
  assert.equal(alone.body['code'], 'INVALID_CA_BUNDLE', 'an expired CA by itself adds nothing');
  await rig.patch({ caCertificates: expired.certificatePem + rig.authority.certificatePem });
  for (const query of ['', '&force=true']) {
    const { status, body } = await remove(rig, only?.fingerprint ?? '', query);
    assert.equal(status, 409);
    assert.match(
      String(body['message']),
      /the last CA of the bundle that can verify anybody, and is needed by edge\. force does not help here/,
    );
    const info = body['responseMessages']?.[0 as never]?.['additionalInfo'];
    assert.equal(info?.['neededBy']?.[0 as never]?.['name'], 'edge');
  }
  const [unusable] = await list(rig);
  assert.deepEqual([unusable?.subject, unusable?.inDate, unusable?.safeToRemove], ['CN=Expired CA', false, true]);
  assert.equal((await remove(rig, unusable?.fingerprint ?? '')).status, 200);
  assert.equal((await remove(rig, only?.fingerprint ?? '', '&force=true')).status, 409);
});

managerTest('an intermediate by itself, and two CAs of one name with two keys, are told apart', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'names');
  const root = await TestAuthority.create('Root CA');
  const issuing = await TestAuthority.create('Issuing CA', { issuer: root });
  const twinA = await TestAuthority.create('Same CA');
  const twinB = await TestAuthority.create('Same CA');
  const added = await add(rig, issuing.certificatePem + twinA.certificatePem + twinB.certificatePem);
  assert.equal(added.status, 200, JSON.stringify(added.body));
  const below = await rig.onMtls('below', await issuing.client('below'));
  await rig.onMtls('a', await twinA.client('a'));
  const b = await rig.onMtls('b', await twinB.client('b'));
  const [first, intermediate, a, second] = await list(rig);
  assert.deepEqual(
    [names(first), names(intermediate), names(a), names(second)],
    [[], ['below true'], ['a true'], ['b true']],
  );
  assert.equal(a?.subject, second?.subject);

  assert.equal((await remove(rig, first?.fingerprint ?? '')).status, 200);
  assert.equal((await remove(rig, a?.fingerprint ?? '')).status, 409);
  assert.equal((await remove(rig, a?.fingerprint ?? '', '&force=true')).status, 200);
  assert.equal((await b.heartbeat()).status, 200, 'the other one of that name is not touched');
  assert.equal((await below.heartbeat()).status, 200);
  assert.equal(await rig.refused(await twinA.client('a')), 'UNKNOWN_ISSUER');
});

managerTest('what is added twice is there once, and what is no CA is not added', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'adding');
  const next = await TestAuthority.create('Next CA');
  const text = `a comment\n${rig.authority.certificatePem.trimEnd()}`;
  await rig.patch({ caCertificates: text });
  const twice = await add(rig, next.certificatePem + rig.authority.certificatePem + next.certificatePem);
  assert.equal(twice.status, 200);
  assert.equal((twice.body['metaData'] as unknown as { added: string[] }).added.length, 1);
  const { caCertificates } = (await dev.must('GET', rig.path('endpoint'))) as unknown as { caCertificates: string };
  assert.equal(caCertificates, `${text}\n${next.certificatePem}`, 'what was uploaded stays as it was');
  const again = await add(rig, next.certificatePem);
  assert.deepEqual([again.status, again.body['metaData']?.['added']], [200, []]);
  const client = await next.client('edge');
  for (const bad of [
    client.certificatePem,
    next.pair.privateKeyPem,
    'ca.crt',
    '\0',
    next.certificatePem.slice(0, 99),
  ]) {
    assert.equal((await add(rig, bad)).body['code'], 'INVALID_CA_BUNDLE');
  }
  assert.equal((await add(rig, '')).status, 400);
  const many = await Promise.all(
    Array.from({ length: 31 }, (_, n) =>
      createAuthority({ subject: { commonName: `CA ${n}` }, keyAlgorithm: 'EC P-256', now: new Date() }),
    ),
  );
  const tooMany = await add(rig, many.map(({ certificatePem }) => certificatePem).join(''));
  assert.match(String(tooMany.body['message']), /33 certificates; at most 32/);
  assert.equal((await list(rig)).length, 2);
  for (const [fingerprint, code] of [
    ['x', 'INVALID_REQUEST'],
    ['0'.repeat(64), 'ENTITY_NOT_FOUND'],
  ] as const) {
    assert.equal((await remove(rig, fingerprint)).body['code'], code);
  }
});
