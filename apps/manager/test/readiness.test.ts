import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { type DevBody, TestAuthority } from '@sallyport/dev-env';
import type { CutOff } from '@sallyport/protocol';
import { onBothManagers } from './both-managers.ts';
import { FleetRig } from './fleet-rig.ts';

const managerTest = onBothManagers();

managerTest('readiness tells every delegate apart, and what to do', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'fleet');
  assert.equal((await rig.readiness()).ready, true, 'an endpoint without delegates');
  await rig.onMtls('good');
  await rig.plain('plain');
  const downgraded = await rig.onMtls('downgraded');
  await rig.readiness();
  await downgraded.on(await rig.plainConnection()).heartbeat();
  await rig.plain('trying');
  const foreign = await TestAuthority.create('Foreign CA');
  assert.equal(await rig.refused(await foreign.client('trying')), 'UNKNOWN_ISSUER');
  assert.equal(await rig.refused(await foreign.client('stranger')), 'UNKNOWN_ISSUER');
  await rig.onMtls('impersonated');
  assert.equal(await rig.refused(await foreign.client('impersonated')), 'UNKNOWN_ISSUER');

  const { ready, totals, delegates, refusedClients, mode } = await rig.readiness();
  assert.deepEqual([ready, mode], [false, 'LOOSE']);
  assert.deepEqual(
    delegates.map(({ name, state, blocksStrict, connected, refusal }) => [
      ...[name, state, blocksStrict, connected, refusal?.reason ?? null, refusal?.matchedBy ?? null],
    ]),
    [
      ['downgraded', 'PLAIN_AFTER_MTLS', true, true, null, null],
      ['plain', 'PLAIN', true, true, null, null],
      ['trying', 'INVALID_CERTIFICATE', true, true, 'UNKNOWN_ISSUER', 'NAME'],
      ['good', 'ON_MTLS', false, true, null, null],
      ['impersonated', 'ON_MTLS', false, true, 'UNKNOWN_ISSUER', 'NAME'],
    ],
  );
  assert.deepEqual(totals, {
    ...{ onMtls: 2, plain: 1, plainAfterMtls: 1, invalidCertificate: 1, notSeen: 0, refusedClients: 1 },
  });
  assert.deepEqual(
    refusedClients.map(({ certificate }) => certificate?.names),
    [['stranger']],
  );
  for (const { remedy } of delegates) assert.match(remedy, /^\S.+[.]$/);
  assert.match(delegates[1]?.remedy ?? '', new RegExp(`MANAGER_HOST_AND_PORT=${dev.mtlsUrl('fleet')}`));
  assert.equal(delegates[0]?.certificate?.subject, 'CN=downgraded');
});

managerTest('a delegate whose CA was taken away is told apart by its certificate', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'rotated');
  const client = await rig.authority.client('edge');
  const agent = await rig.onMtls('edge', client);
  const next = await TestAuthority.create('Next CA');
  const { body } = await rig.patch({ caCertificates: next.certificatePem });
  const hostName = 'host-of-edge';
  assert.deepEqual(body['metaData']?.['cutOff'], [
    { delegateId: agent.id, name: 'edge', hostName, transport: 'MTLS', reason: 'UNKNOWN_ISSUER' },
  ]);
  await agent.connection.gone;
  assert.equal(await rig.refused(client), 'UNKNOWN_ISSUER');
  const { delegates, ready } = await rig.readiness();
  // It polled, so it counts as connected until it has missed its heartbeats.
  const [row] = delegates;
  assert.deepEqual([row?.refusal?.matchedBy, row?.refusal?.reason], ['FINGERPRINT', 'UNKNOWN_ISSUER']);
  assert.equal(ready, row?.state === 'ON_MTLS');
});

managerTest('onlyIfReady changes nothing while anybody would be cut off, and names them', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'careful');
  const plain = await rig.plain('edge');
  const streaming = await rig.plain('streaming');
  const stream = await streaming.stream();
  await rig.onMtls('good');
  const { status, body } = await rig.patch({ mode: 'STRICT' }, '&onlyIfReady=true');
  assert.equal(status, 409);
  assert.equal(body['code'], 'CONFLICT');
  assert.match(String(body['message']), /cut off or keep out 2 delegates \(edge, streaming\)/);
  const { cutOff, count } = body['responseMessages']?.[0 as never]?.['additionalInfo'] ?? {};
  assert.equal(count, 2);
  assert.deepEqual(
    (cutOff as unknown as CutOff[]).map(({ name, reason, delegateId }) => [name, reason, delegateId]),
    [
      ['edge', 'MTLS_REQUIRED', plain.id],
      ['streaming', 'MTLS_REQUIRED', streaming.id],
    ],
  );
  assert.equal(await rig.mode(), 'LOOSE');
  assert.equal((await plain.heartbeat()).status, 200);
  assert.ok(stream.isOpen);

  // A delegate that left plain today is kept out when it comes back: it counts as well.
  stream.socket.close();
  await stream.closed;
  await plain.on(await rig.mtlsConnection(await rig.authority.client('edge'))).heartbeat();
  const again = await rig.patch({ mode: 'STRICT' }, '&onlyIfReady=true');
  assert.match(String(again.body['message']), /cut off or keep out 1 delegate \(streaming\)/);
  await dev.must('DELETE', `/ng/api/delegate-setup/delegate/${streaming.id}?accountIdentifier=careful`);
  const done = await rig.patch({ mode: 'STRICT' }, '&onlyIfReady=true');
  assert.equal(done.status, 200, JSON.stringify(done.body));
  assert.deepEqual(done.body['metaData']?.['cutOff'], []);
});

managerTest('onlyIfReady holds for a CA that delegates need, too', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'careful-ca');
  const agent = await rig.onMtls('edge');
  const next = await TestAuthority.create('Next CA');
  const refused = await rig.patch({ caCertificates: next.certificatePem }, '&onlyIfReady=true');
  assert.equal(refused.status, 409);
  assert.equal((await agent.heartbeat()).status, 200);
  const both = rig.authority.certificatePem + next.certificatePem;
  assert.equal((await rig.patch({ caCertificates: both }, '&onlyIfReady=true')).status, 200);
  assert.equal((await agent.heartbeat()).status, 200);
});

managerTest('the plain call cuts off and says whom', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'direct');
  const polling = await rig.plain('polling');
  const streaming = await rig.plain('streaming');
  const stream = await streaming.stream();
  const onMtls = await rig.onMtls('good');
  const { status, body } = await rig.patch({ mode: 'STRICT' });
  assert.equal(status, 200);
  const cutOff = cutOffIn({ body });
  assert.deepEqual(cutOff.map(({ delegateId }) => delegateId).sort(), [polling.id, streaming.id].sort());
  assert.deepEqual(
    new Set(cutOff.map(({ transport, reason }) => `${transport} ${reason}`)),
    new Set(['PLAIN MTLS_REQUIRED']),
  );
  assert.equal((await stream.closed).code, 4401);
  await polling.connection.gone;
  assert.equal((await onMtls.heartbeat()).status, 200);
  const same = await rig.patch({ mode: 'STRICT' });
  assert.deepEqual(same.body['metaData']?.['cutOff'], [], 'whoever was cut off before is not cut off again');
  const put = await dev.api('PUT', rig.path('endpoint'), {
    ...{ domainPrefix: 'direct-2', mode: 'STRICT', caCertificates: rig.authority.certificatePem },
  });
  assert.deepEqual(put.body['metaData']?.['cutOff'], [
    { delegateId: onMtls.id, name: 'good', hostName: 'host-of-good', transport: 'MTLS', reason: 'AUTHORITY_MISMATCH' },
  ]);
});

managerTest('a delegate that comes while the change is made prevents it, is refused, or is named', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'racing');
  for (let round = 0; round < 12; round++) {
    const connection = await rig.plainConnection();
    const name = `edge-${round}`;
    const changing = rig.patch({ mode: 'STRICT' }, '&onlyIfReady=true');
    // A little later each time, so that some rounds meet the moment between judgement and write.
    for (let turn = 0; turn < round * 3; turn++) await setImmediate();
    const registering = rig.agentOn(connection, name).register();
    const registered = (await registering.catch(() => null))?.status;
    const change = await changing;
    if (change.status === 200 && registered === 200) {
      assert.deepEqual(
        cutOffIn(change).map((cut) => cut.name),
        [name],
      );
      await connection.gone;
    } else if (change.status !== 200) {
      assert.deepEqual([change.status, registered], [409, 200]);
    }
    await rig.patch({ mode: 'LOOSE' });
    await dev.api('DELETE', `/ng/api/delegate-setup/delegate/${name}?accountIdentifier=racing`);
  }
});

managerTest('a precaution that is spelt wrong stops the call', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'typos');
  await rig.plain('edge');
  for (const query of [
    'onlyifready=true',
    'only-if-ready=true',
    'onlyIfReady=yes',
    'onlyIfReady=',
    'onlyIfReady=true&onlyIfReady=false',
  ]) {
    const { status, body } = await rig.patch({ mode: 'STRICT' }, `&${query}`);
    assert.equal(status, 400, query);
    assert.equal(body['code'], 'INVALID_REQUEST');
  }
  for (const [method, path] of [
    ['DELETE', 'endpoint'],
    ['POST', 'endpoint/confirm'],
  ] as const) {
    const answer = await dev.api(method, rig.path(path, '&onlyIfReady=true'));
    assert.match(String(answer.body['remedy']), /belong to PUT and PATCH/);
  }
  assert.equal(await rig.mode(), 'LOOSE');
});

managerTest('readiness is asked of an endpoint, for a number of days that makes sense', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'known');
  assert.equal((await rig.readiness('&notSeenForDays=1')).notSeenForDays, 1);
  assert.equal((await dev.api('GET', rig.path('readiness', '&notSeenForDays=0'))).status, 400);
  assert.equal((await dev.api('GET', rig.path('readiness', '&orgIdentifier=x'))).status, 400);
  await dev.must('DELETE', rig.path('endpoint'));
  assert.equal((await dev.api('GET', rig.path('readiness'))).body['code'], 'ENTITY_NOT_FOUND');
});

function cutOffIn({ body }: { body: DevBody }): CutOff[] {
  return (body['metaData'] as unknown as { cutOff: CutOff[] }).cutOff;
}
