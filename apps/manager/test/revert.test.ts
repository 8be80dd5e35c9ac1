import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  createTestDatabase,
  DevManager,
  dropTestDatabase,
  eventually,
  KeptConnection,
  TestAuthority,
  testPostgres,
} from '@sallyport/dev-env';
import type { AuditEvent } from '@sallyport/protocol';
import { onBothManagers } from './both-managers.ts';
import { FleetRig } from './fleet-rig.ts';

/** Time passes for the managers when a test says so. */
class MovableClock {
  #ahead = 0;
  readonly now = () => new Date(Date.now() + this.#ahead);
  advance(seconds: number): void {
    this.#ahead += seconds * 1000;
  }
}

const clock = new MovableClock();
const managerTest = onBothManagers({ clock });
const postgresUrl = testPostgres();

async function audited({ dev, account }: FleetRig): Promise<string[]> {
  const path = `/ng/api/audit?accountIdentifier=${account.id}&limit=20`;
  const events = (await dev.must('GET', path, undefined, account.adminKey)) as unknown as AuditEvent[];
  return events.map(({ action }) => action).filter((action) => action.startsWith('endpoint.'));
}

const revertsAt = async (rig: FleetRig): Promise<unknown> =>
  (await rig.dev.api('GET', rig.path('endpoint'), undefined, rig.account.viewerKey)).body['metaData']?.['revertsAt'];

/** Changes that are due at one moment are taken back oldest first: when this one is, the older ones have had their turn. */
async function witness(rig: FleetRig): Promise<void> {
  await rig.patch({ mode: 'STRICT' }, '&revertAfter=PT30S');
  clock.advance(31);
  await takenBack(rig);
}

const takenBack = (rig: FleetRig) => eventually('the change is taken back', async () => (await rig.mode()) === 'LOOSE');

managerTest('a change that nobody confirms is taken back, and nobody stays cut off', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'unconfirmed');
  const before = await rig.plain('edge');
  const { status, body } = await rig.patch({ mode: 'STRICT' }, '&revertAfter=PT30S');
  assert.equal(status, 200);
  const at = Number(body['metaData']?.['revertsAt']);
  assert.ok(Math.abs(at - clock.now().getTime() - 30_000) < 5_000);
  assert.equal(await revertsAt(rig), at);
  await before.connection.gone;
  assert.equal((await before.on(await rig.plainConnection()).heartbeat()).status, 401);
  clock.advance(31);
  await takenBack(rig);
  assert.equal((await (await rig.plain('edge')).heartbeat()).status, 200);
  assert.equal(await revertsAt(rig), undefined);
  assert.deepEqual(await audited(rig), ['endpoint.reverted', 'endpoint.updated', 'endpoint.created']);
  const late = await dev.api('POST', rig.path('endpoint/confirm'), undefined, rig.account.adminKey);
  assert.equal(late.status, 409);
  assert.match(String(late.body['message']), /waiting for a confirmation; its mode is LOOSE/);
});

managerTest('a change that is confirmed stays', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'confirmed');
  await rig.patch({ mode: 'STRICT' }, '&revertAfter=PT30S');
  const confirmed = await dev.api('POST', rig.path('endpoint/confirm'), undefined, rig.account.adminKey);
  assert.equal(confirmed.status, 200);
  assert.equal(confirmed.body['mode'], 'STRICT');
  assert.equal(await revertsAt(rig), undefined);
  await witness(await FleetRig.create(t, dev, 'confirmed-witness'));
  assert.equal(await rig.mode(), 'STRICT');
  assert.deepEqual(await audited(rig), ['endpoint.confirmed', 'endpoint.updated', 'endpoint.created']);
});

managerTest(
  'another change confirms nothing: what is on trial goes back, what was changed meanwhile stays',
  async (t, dev) => {
    const next = await TestAuthority.create('Next CA');
    const rig = await FleetRig.create(t, dev, 'meanwhile');
    const both = rig.authority.certificatePem + next.certificatePem;
    const until = (await rig.patch({ mode: 'STRICT' }, '&revertAfter=PT30S')).body['metaData']?.['revertsAt'];
    const caCertificates = rig.authority.certificatePem;
    const whole = { domainPrefix: 'meanwhile', caCertificates, mode: 'STRICT' };
    const same = await dev.api('PUT', rig.path('endpoint'), whole, rig.account.adminKey);
    const pem = { caCertificates: next.certificatePem };
    for (const { status, body } of [
      await rig.patch({ mode: 'STRICT' }),
      await rig.patch({ mode: 'STRICT' }, '&onlyIfReady=true'),
      same,
      await dev.api('POST', rig.path('authorities'), pem, rig.account.adminKey),
      await rig.patch({ domainPrefix: 'meanwhile-2' }),
    ]) {
      assert.deepEqual([status, body['metaData']?.['revertsAt']], [200, until]);
    }
    assert.equal(await revertsAt(rig), until);
    assert.ok(!(await audited(rig)).includes('endpoint.confirmed'));
    clock.advance(31);
    await takenBack(rig);
    const after = await dev.must('GET', rig.path('endpoint'));
    assert.deepEqual([after['caCertificates'], after['fqdn']], [both, 'meanwhile-2.agent.localhost']);
  },
);

managerTest('what is set back by hand is on trial no longer, what else is on trial still is', async (t, dev) => {
  const next = await TestAuthority.create('Next CA');
  const rig = await FleetRig.create(t, dev, 'by-hand');
  const original = rig.authority.certificatePem;
  await rig.patch({ mode: 'STRICT', caCertificates: original + next.certificatePem }, '&revertAfter=PT30S');
  const until = await revertsAt(rig);
  assert.equal((await rig.patch({ mode: 'LOOSE' })).body['metaData']?.['revertsAt'], until);
  assert.deepEqual((await audited(rig)).slice(0, 2).toSorted(), ['endpoint.reverted', 'endpoint.updated']);
  await rig.patch({ mode: 'STRICT' });
  const { fingerprint256 } = next.pair.facts;
  const removed = await dev.api('DELETE', rig.path(`authorities/${fingerprint256}`), undefined, rig.account.adminKey);
  assert.deepEqual([removed.status, removed.body['metaData']?.['revertsAt']], [200, undefined]);
  assert.equal(await revertsAt(rig), undefined);
  await witness(await FleetRig.create(t, dev, 'by-hand-witness'));
  assert.equal(await rig.mode(), 'STRICT', 'it was decided on after its trial had ended');
});

managerTest('a third bundle is refused while another one is on trial', async (t, dev) => {
  const [next, third] = await Promise.all(['Next CA', 'Third CA'].map((name) => TestAuthority.create(name)));
  assert.ok(next && third);
  const rig = await FleetRig.create(t, dev, 'third');
  const original = rig.authority.certificatePem;
  await rig.patch({ caCertificates: original + next.certificatePem }, '&revertAfter=PT30S');
  const until = await revertsAt(rig);
  const pem = { caCertificates: third.certificatePem };
  for (const { status, body } of [
    await rig.patch({ caCertificates: original + third.certificatePem }),
    await dev.api('POST', rig.path('authorities'), pem, rig.account.adminKey),
    await dev.api(
      'DELETE',
      rig.path(`authorities/${rig.authority.pair.facts.fingerprint256}`),
      undefined,
      rig.account.adminKey,
    ),
  ]) {
    assert.deepEqual([status, body['code']], [409, 'CONFLICT']);
    assert.match(String(body['message']), new RegExp(`on trial until ${new Date(Number(until)).toISOString()}`));
    assert.match(String(body['remedy']), /Confirm .*set the bundle back .*revertAfter/);
  }
  assert.equal((await rig.patch({ mode: 'STRICT' })).status, 200, 'the mode is not on trial');
  assert.equal(
    (await rig.patch({ caCertificates: `${next.certificatePem}\n${original}` })).status,
    200,
    'the same CAs',
  );
  assert.equal(await revertsAt(rig), until);
  assert.equal((await rig.patch(pem, '&revertAfter=PT30S')).status, 200);
  clock.advance(31);
  await eventually('the bundle is taken back', async () => {
    return String((await dev.must('GET', rig.path('endpoint')))['caCertificates']) === original;
  });
  assert.equal(await rig.mode(), 'STRICT', 'it was changed for good meanwhile');
});

managerTest('a change with revertAfter keeps the oldest state as the way back', async (t, dev) => {
  const next = await TestAuthority.create('Next CA');
  const rig = await FleetRig.create(t, dev, 'extended');
  const original = rig.authority.certificatePem;
  await rig.patch({ mode: 'STRICT' }, '&revertAfter=PT30S');
  await rig.patch({ caCertificates: original + next.certificatePem }, '&revertAfter=PT1M');
  await witness(await FleetRig.create(t, dev, 'extended-witness'));
  assert.equal(await rig.mode(), 'STRICT', 'the second call moved the moment');
  clock.advance(31);
  await takenBack(rig);
  assert.equal((await dev.must('GET', rig.path('endpoint')))['caCertificates'], original);
});

managerTest('an endpoint that is deleted meanwhile, or made anew, is left alone', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'deleted');
  await rig.patch({ mode: 'STRICT' }, '&revertAfter=PT30S');
  await dev.must('DELETE', rig.path('endpoint'));
  const caCertificates = rig.authority.certificatePem;
  await dev.must('POST', rig.path('endpoint'), { domainPrefix: 'deleted', caCertificates, mode: 'STRICT' });
  await witness(await FleetRig.create(t, dev, 'deleted-witness'));
  assert.equal(await rig.mode(), 'STRICT');
});

managerTest('a duration that makes no sense, and a name that could not be had back, change nothing', async (t, dev) => {
  const rig = await FleetRig.create(t, dev, 'durations');
  for (const text of ['10m', 'PT', 'P', '600', 'PT0S', '-PT1M', 'PT1.5H', 'P1W', 'PT10M%20', '%00', '']) {
    const { status, body } = await rig.patch({ mode: 'STRICT' }, `&revertAfter=${text}`);
    assert.equal(status, 400, text);
    assert.match(String(body['message']), /is no ISO 8601 duration/, text);
  }
  for (const text of ['PT29S', 'P1DT1S', 'PT25H', 'PT999999M']) {
    assert.match(
      String((await rig.patch({ mode: 'STRICT' }, `&revertAfter=${text}`)).body['message']),
      /between 30 seconds and 24 hours/,
    );
  }
  const renamed = await rig.patch({ domainPrefix: 'durations-2', mode: 'STRICT' }, '&revertAfter=PT30S');
  assert.equal(renamed.status, 400);
  assert.match(String(renamed.body['message']), /domainPrefix cannot be taken back/);
  assert.equal(await rig.mode(), 'LOOSE');
  assert.deepEqual(await audited(rig), ['endpoint.created']);
  for (const text of ['PT30S', 'P1D', 'PT24H', 'PT1H30M5S', 'P0DT45S']) {
    assert.equal((await rig.patch({ mode: 'LOOSE' }, `&revertAfter=${text}`)).status, 200, text);
  }
  assert.equal((await rig.patch({ domainPrefix: 'durations', mode: 'STRICT' }, '&revertAfter=PT1M')).status, 200);
});

test('of several replicas one takes the change back, on all of them', async (t) => {
  const url = await createTestDatabase(await postgresUrl());
  const environment = { SALLYPORT_DATABASE_URL: url, SALLYPORT_MASTER_KEY: '5a'.repeat(32) };
  const ahead = new MovableClock();
  const replicas = await Promise.all([1, 2].map(() => DevManager.start({ environment, clock: ahead })));
  t.after(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await dropTestDatabase(url);
  });
  const [first, second] = replicas.toSorted((a, b) => b.operatorKey.length - a.operatorKey.length);
  assert.ok(first && second);
  const rig = await FleetRig.create(t, first, 'replicated');
  await rig.patch({ mode: 'STRICT' }, '&revertAfter=PT30S');
  ahead.advance(31);
  await takenBack(rig);
  const { publicUrl } = second;
  const edge = rig.agentOn(
    await KeptConnection.open({ port: Number(new URL(publicUrl).port), serverName: 'localhost' }),
    'edge',
  );
  await eventually('the other replica accepts plain delegates', async () => (await edge.register()).status === 200);
  edge.connection.close();
  assert.deepEqual(await audited(rig), ['endpoint.reverted', 'endpoint.updated', 'endpoint.created']);
});

test('kill -9 does not make a change stay', async (t) => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'sallyport-killed-'));
  t.after(() => rmSync(dataDirectory, { recursive: true, force: true }));
  const script = join(import.meta.dirname, 'unconfirmed-change-process.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, dataDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const [line] = (await Promise.race([once(child.stdout, 'data'), ended.then(() => ['{}'])])) as [Buffer];
  const { adminKey, mode } = JSON.parse(String(line)) as { adminKey: string; mode: string };
  assert.equal(mode, 'STRICT');
  child.kill('SIGKILL');
  await ended;

  const later = new MovableClock();
  const dev = await DevManager.start({ dataDirectory, clock: later });
  t.after(() => dev.stop());
  const endpoint = async () =>
    (await dev.api('GET', '/ng/api/agent/mtls/endpoint?accountIdentifier=acme', undefined, adminKey)).body;
  const restarted = await endpoint();
  assert.equal(restarted['mode'], 'STRICT', 'its time is not over yet');
  assert.ok(restarted['metaData']?.['revertsAt']);
  later.advance(31);
  await eventually('the change is taken back', async () => String((await endpoint())['mode']) === 'LOOSE');
});
