import assert from 'node:assert/strict';
import { TestAuthority } from '@sallyport/dev-env';
import { onBothManagers } from './both-managers.ts';
import { SetClock, UpgradeRig } from './upgrade-rig.ts';

const clock = new SetClock();
const managerTest = onBothManagers({ clock });
const DIGEST = `sha256:${'ab'.repeat(32)}`;

// First: managers that start later on the clock have certificates that are not valid yet.
managerTest("an upgrader speaks for its own account only, and an account's mode holds for it", async (t, dev) => {
  const rig = await UpgradeRig.create(t, dev, 'checks-a', clock);
  const other = await UpgradeRig.create(t, dev, 'checks-b', clock);
  const authorization = await (await rig.agent('upgrader')).authorization();
  const url = (account: string) =>
    `${dev.publicUrl}/api/upgrade-check/delegate?accountId=${account}&currentDelegateImageTag=a:24.01.1`;
  const ask = (account: string) => dev.request(url(account), { headers: { authorization } });
  assert.equal((await ask('checks-a')).status, 200);
  assert.deepEqual([(await ask('checks-b')).status, (await ask('checks-b')).body['code']], [401, 'INVALID_TOKEN']);
  assert.equal(
    (await dev.request(`${url('checks-b')}&accountId=checks-a`, { headers: { authorization } })).status,
    401,
  );

  for (const image of ['a:1\nb', 'a b', 'a@sha256:x', 'a;id', `${'a/'.repeat(200)}a`]) {
    const { status, body } = await rig.check(image);
    assert.deepEqual([status, body['code']], [400, 'INVALID_REQUEST'], image);
    assert.doesNotMatch(String(body['message']), /\n/);
  }

  const authority = await TestAuthority.create('upgraders', { now: new Date(Date.now() - 3_600_000) });
  await dev.must('PATCH', '/ng/api/accounts/checks-b', { mtlsEnabled: true });
  await dev.must('POST', '/ng/api/agent/mtls/endpoint?accountIdentifier=checks-b', {
    domainPrefix: 'checks-b',
    caCertificates: authority.certificatePem,
    mode: 'STRICT',
  });
  const refused = await other.check('a:24.01.1');
  assert.deepEqual([refused.status, refused.body['code']], [401, 'INVALID_AGENT_MTLS_AUTHORITY']);
  const certificate = await authority.client('upgrader');
  const admitted = await dev.request(
    `${dev.mtlsUrl('checks-b')}/api/upgrade-check/upgrader?accountId=checks-b&currentUpgraderImageTag=a:24.01.1`,
    { certificate, headers: { authorization: await (await other.agent('upgrader')).authorization() } },
  );
  assert.deepEqual([admitted.status, admitted.body['resource']?.['shouldUpgrade']], [200, false]);
});

managerTest('a version reaches the canary first, then the rest, and never goes back by itself', async (t, dev) => {
  const canary = await UpgradeRig.create(t, dev, 'ring-canary', clock);
  const rest = await UpgradeRig.create(t, dev, 'ring-rest', clock);
  assert.deepEqual(await rest.told('harness/delegate:24.01.1'), ['harness/delegate:24.01.1', false]);
  await canary.ring('canary');

  const nobody = await canary.publish('harness/delegate:24.01.2');
  assert.equal(nobody.status, 200);
  assert.match(
    JSON.stringify(nobody.body['metaData']),
    /UNTRIED_VERSION.*no upgrader of its accounts \(1\) is calling/,
  );
  const [from, to] = ['harness/delegate:24.01.2', 'harness/delegate:24.02.1'];
  await canary.delegate('edge', '24.01.2');
  await canary.told(from, 'edge');
  const refused = async () => {
    const { status, body } = await canary.publish(to);
    assert.deepEqual([status, body['code']], [409, 'CONFLICT']);
    return `${body['message']} ${body['remedy']}`;
  };
  assert.match(await refused(), /ring canary has nothing/);
  await canary.published(to, 'canary');
  assert.match(await refused(), /of the one delegate in ring canary none has taken it/);
  assert.deepEqual(await canary.told(from, 'edge'), [to, true]);
  assert.match(await refused(), /none has taken it/, 'told is not taken');
  assert.deepEqual(await rest.told('harness/delegate:24.01.1'), [from, true]);
  await canary.told(to, 'edge');
  await canary.delegate('edge', '24.02.1', { hostName: 'new-pod' });
  assert.match(await refused(), /1 took it, 0 are healthy and 0 failed\. .*the next is judged at \d{4}-/);
  clock.advance(30);

  await canary.published('harness/delegate:24.02.1');
  assert.deepEqual(await rest.told('harness/delegate:24.01.1'), ['harness/delegate:24.02.1', true]);
  assert.deepEqual(await rest.told('docker.io/harness/delegate:24.02.1'), [
    'docker.io/harness/delegate:24.02.1',
    false,
  ]);
  assert.deepEqual(await rest.told('harness/delegate:24.03.1'), ['harness/delegate:24.03.1', false], 'a downgrade');
  assert.deepEqual(await rest.told('harness/delegate:24.01.1.minimal'), ['harness/delegate:24.02.1.minimal', true]);
  assert.deepEqual(await rest.told('harness/delegate:latest'), ['harness/delegate:latest', false], 'of unknown age');
  for (const [tag, told] of [
    ['24.01.1', 'harness/delegate:24.02.1'],
    ['24.02.1', '24.02.1'],
    ['24.03.1', '24.03.1'],
  ] as const)
    assert.deepEqual(await rest.told(tag), [told, tag !== told && tag < '24.02'], 'a tag alone');

  const older = await rest.publish('harness/delegate:24.01.9', 'canary');
  assert.deepEqual([older.status, older.body['code']], [409, 'CONFLICT']);
  await rest.published('harness/delegate:24.01.9', 'canary', { allowOlder: true });
  const { body } = await canary.check('harness/delegate:24.02.1');
  assert.deepEqual(
    [body['resource']?.['imageTag'], body['resource']?.['allowOlder']],
    ['harness/delegate:24.01.9', true],
  );
  await rest.published(`harness/delegate:24.04.1@${DIGEST}`, 'stable', { force: true });
  assert.deepEqual(await rest.told('harness/delegate:24.02.1'), [`harness/delegate:24.04.1@${DIGEST}`, true]);
  const minimal = 'harness/delegate:24.02.1.minimal';
  assert.deepEqual(await rest.told(minimal), [minimal, false], 'the digest is of the full image');
});

managerTest('an operator halts a ring and resumes it, and the audit log says who', async (t, dev) => {
  const rig = await UpgradeRig.create(t, dev, 'ring-halt', clock);
  await rig.published('harness/delegate:24.05.1', 'stable', { force: true });
  await dev.must('POST', '/ng/api/upgrades/rings/stable/halt', { reason: 'looks bad' });
  assert.deepEqual(await rig.told('harness/delegate:24.01.1'), ['harness/delegate:24.01.1', false]);
  const latest = await rig.admin('GET', '/delegate-setup/latest-supported-version');
  assert.equal(latest.body['resource']?.['latestSupportedVersion'], '24.04.1', 'not the one that is halted');
  const again = await dev.api('POST', '/ng/api/upgrades/rings/stable/halt', {});
  assert.equal(again.status, 409);
  const own = await rig.admin('GET', '/upgrades/account');
  assert.match(String(own.body['resource']?.['halted']), /halted/);
  await dev.must('POST', '/ng/api/upgrades/rings/stable/resume', {});
  assert.deepEqual(await rig.told('harness/delegate:24.01.1'), ['harness/delegate:24.05.1', true]);
  const audit = await dev.must('GET', '/ng/api/audit?limit=3');
  const actions = [0, 1, 2].map((index) => audit[index]?.['action']);
  assert.deepEqual(actions, ['upgrade.resumed', 'upgrade.halted', 'upgrade.published']);
  assert.equal(audit[1]?.['details']?.['reason'], 'looks bad');
});

managerTest('an account chooses another version for a time, and an older one only by saying so', async (t, dev) => {
  const rig = await UpgradeRig.create(t, dev, 'override', clock);
  await rig.published('harness/delegate:24.06.5', 'stable', { force: true });
  const setup = '/delegate-setup';
  const put = (query: string) => rig.admin('PUT', `${setup}/override-delegate-tag?${query}`);

  assert.equal((await put('delegateTag=24.06.1')).status, 409);
  assert.equal((await put('delegateTag=24.06.1&allowOlder=true&validForDays=2')).status, 200);
  const { body } = await rig.check('harness/delegate:24.06.5');
  assert.deepEqual(
    { ...body['resource'] },
    { imageTag: 'harness/delegate:24.06.1', shouldUpgrade: true, allowOlder: true },
  );
  const listed = await rig.admin('GET', `${setup}/override-delegate-tag`);
  assert.equal(listed.body['resource']?.['versionOverrides']?.[0]?.['version'], '24.06.1');
  const latest = await rig.admin('GET', `${setup}/latest-supported-version`);
  assert.deepEqual(
    { ...latest.body['resource'] },
    { latestSupportedVersion: '24.06.1', latestSupportedMinimalVersion: '24.06.1.minimal' },
  );
  clock.advance(2 * 24 * 60);
  assert.deepEqual(await rig.told('harness/delegate:24.06.5'), ['harness/delegate:24.06.5', false], 'it is over');

  assert.equal((await put('delegateTag=24.06.9')).status, 200);
  assert.deepEqual(await rig.told('harness/delegate:24.06.5'), ['harness/delegate:24.06.9', true]);
  assert.deepEqual(await rig.told('harness/delegate:24.07.1'), ['harness/delegate:24.07.1', false], 'a downgrade');
  for (const path of ['override-delegate-tag', 'delete-delegate-override']) {
    assert.equal(String((await rig.admin('DELETE', `${setup}/${path}`)).body['resource']), String(path[0] === 'o'));
  }
  const older = await rig.admin('PUT', '/version-override/delegate-tag?delegateTag=24.06.9&validTillNextRelease=true');
  assert.equal(older.status, 200);
  assert.deepEqual(await rig.told('harness/delegate:24.06.5'), ['harness/delegate:24.06.9', true]);
  await rig.published('harness/delegate:24.07.1', 'stable', { force: true });
  assert.deepEqual(await rig.told('harness/delegate:24.06.5'), ['harness/delegate:24.07.1', true]);

  for (const wrong of ['latest', 'harness/delegate', '24.06.9%0Aimage', '24.06.9@sha256:1', '$(id)', '24.06.9 x']) {
    const refused = await put(`delegateTag=${encodeURIComponent(decodeURIComponent(wrong))}`);
    assert.deepEqual([refused.status, refused.body['code']], [400, 'INVALID_REQUEST'], wrong);
  }
  assert.equal((await put('delegateTag=24.06.9&validForDays=181')).status, 400);
  assert.equal((await put('delegateTag=24.06.9&projectIdentifier=p')).status, 400);
});

managerTest('the list says how each delegate is kept current', async (t, dev) => {
  const rig = await UpgradeRig.create(t, dev, 'states', clock);
  await rig.published('harness/delegate:24.08.2', 'stable', { force: true });
  await rig.delegate('edge', '24.08.1');
  assert.equal(await rig.stateOf('edge'), 'DETECTING');
  await rig.told('harness/delegate:24.08.1', 'edge');
  assert.equal(await rig.stateOf('edge'), 'SYNCHRONIZING');
  await rig.told('harness/delegate:24.08.2', 'edge');
  assert.equal(await rig.stateOf('edge'), 'SYNCHRONIZING', 'its pod is not there yet');
  await rig.delegate('edge', '24.08.2', { hostName: 'new-pod' });
  assert.equal(await rig.stateOf('edge'), 'ON');
  clock.advance(89);
  assert.equal(await rig.stateOf('edge'), 'ON');
  clock.advance(1);
  assert.equal(await rig.stateOf('edge'), 'OFF');
  await rig.delegate('lonely', '24.08.2');
  assert.equal(await rig.stateOf('lonely'), 'DETECTING');
  await rig.told('harness/delegate:24.08.2');
  assert.equal(await rig.stateOf('lonely'), 'ON', 'a call that names no delegate is about its version');
});

managerTest('a ring stops by itself when upgraded delegates do not come back, and says so', async (t, dev) => {
  clock.advance(120);
  const rig = await UpgradeRig.create(t, dev, 'stops', clock);
  const other = await UpgradeRig.create(t, dev, 'stops-too', clock);
  const [from, to] = ['harness/delegate:24.09.1', 'harness/delegate:24.09.2'];
  await rig.published(to, 'stable', { force: true });
  for (const name of ['good', 'gone', 'stuck', 'later', 'still']) await rig.delegate(name, '24.09.1');
  const dry = await rig.delegate('dry', '24.09.1');
  await other.delegate('edge', '24.09.1');
  for (const name of ['good', 'stuck', 'later', 'still', 'dry'])
    assert.deepEqual(await rig.told(from, name), [to, true]);
  assert.deepEqual(await other.told(from, 'edge'), [to, true]);
  await rig.delegate('good', '24.09.2', { hostName: 'good-2' });
  for (const name of ['stuck', 'later']) await rig.told(to, name);
  // Its upgrader shows the patch and sets nothing; then it goes away for a reason of its own.
  await dry.call('POST', '/api/agent/delegates/unregister', { delegateId: dry.id });
  clock.advance(29);
  assert.equal((await rings(dev))['status'], 'ACTIVE');
  clock.advance(1);
  const one = await rings(dev);
  assert.deepEqual([one['status'], one['healthy'], one['failed'], one['taken']], ['ACTIVE', 1, 2, 3], 'still and dry');

  await other.told(to, 'edge');
  clock.advance(30);
  const release = await rings(dev);
  assert.deepEqual([release['status'], release['haltedBy']], ['HALTED', 'system']);
  const reason = /3 of 4 delegates that took harness\/delegate:24\.09\.2 .* in 2 of 2 accounts/;
  assert.match(String(release['haltedReason']), reason);
  assert.match(dev.log(), new RegExp(`the ring is halted: ${reason.source}`));
  const audit = await dev.must('GET', '/ng/api/audit?limit=1');
  assert.deepEqual([audit[0]?.['action'], audit[0]?.['actor']], ['upgrade.halted', 'system']);
  const metrics = String((await dev.api('GET', '/metrics')).body).match(/^sallyport_upgrades_total.*$/gm);
  assert.ok(metrics?.includes('sallyport_upgrades_total{outcome="halted"} 1'), metrics?.join('\n'));
  assert.deepEqual(await rig.told(from, 'gone'), [from, false]);
  const own = await rig.admin('GET', '/upgrades/account');
  const text = String(own.body['resource']?.['halted']);
  assert.match(text, /is halted, .* too many delegates that took harness\/delegate:24\.09\.2/);
  assert.doesNotMatch(text, /\d of \d/, 'the numbers are about other accounts too');

  await dev.must('POST', '/ng/api/upgrades/rings/stable/resume', {});
  assert.deepEqual(await rig.told(from, 'gone'), [to, true]);
});

managerTest(
  'an account whose delegates fail is given the version no more, and the others still are',
  async (t, dev) => {
    const rig = await UpgradeRig.create(t, dev, 'alone', clock);
    const other = await UpgradeRig.create(t, dev, 'alone-not', clock);
    const [from, to] = ['harness/delegate:24.09.3', 'harness/delegate:24.09.4'];
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await rig.delegate(name, '24.09.3');
      await rig.told(from, name);
    }
    await other.told(from);
    await rig.published(to, 'stable', { force: true });
    await rig.published(to, 'canary', { allowOlder: true });
    for (const name of ['a', 'b', 'c']) {
      assert.deepEqual(await rig.told(from, name), [to, true]);
      await rig.told(to, name);
      assert.deepEqual(await rig.told(from, name), [from, false], 'it was rolled back');
    }
    assert.equal((await rings(dev))['status'], 'ACTIVE', 'one account stops nobody else');
    assert.deepEqual(await rig.told(from, 'd'), [from, false]);
    assert.deepEqual(await other.told(from), [to, true]);
    const own = await rig.admin('GET', '/upgrades/account');
    assert.match(
      String(own.body['resource']?.['halted']),
      /The account is given nothing new: 3 of 3 delegates that took/,
    );
    const audit = await rig.admin('GET', '/audit?limit=9');
    const halts = (audit.body['resource'] as unknown as readonly { action: string }[]).filter(
      ({ action }) => action === 'upgrade.halted',
    );
    assert.equal(halts.length, 1);

    // In the canary that account is alone, and one account may speak for its ring.
    await dev.must('PUT', '/ng/api/upgrades/accounts/ring-canary/ring', { ring: 'stable' });
    await rig.ring('canary');
    for (const name of ['d', 'e', 'c']) {
      await rig.told(from, name);
      await rig.told(to, name);
      await rig.told(from, name);
    }
    const canary = (await dev.must('GET', '/ng/api/upgrades/rings'))[0]?.['releases']?.[0];
    assert.equal(canary?.['status'], 'HALTED');
    assert.equal((await rings(dev))['status'], 'ACTIVE', 'a ring is judged by its own delegates');
  },
);

managerTest('a delegate that was rolled back is not told to take the version again', async (t, dev) => {
  const rig = await UpgradeRig.create(t, dev, 'rolled-back', clock);
  const [from, to] = ['harness/delegate:24.10.1', 'harness/delegate:24.10.2'];
  await rig.published(to, 'stable', { force: true });
  await rig.delegate('edge', '24.10.1');
  assert.deepEqual(await rig.told(from, 'edge'), [to, true]);
  await rig.told(to, 'edge');
  assert.deepEqual(await rig.told(from, 'edge'), [from, false]);
  assert.deepEqual(await rig.told(from, 'edge'), [from, false]);
  const own = await rig.admin('GET', '/upgrades/account');
  assert.equal(own.body['resource']?.['attempts']?.[0]?.['outcome'], 'UNHEALTHY');
  assert.equal(await rig.stateOf('edge'), 'SYNCHRONIZING', 'it is not at the version');
});

managerTest('an image that comes through a mirror is the published one', async (t, dev) => {
  const rig = await UpgradeRig.create(t, dev, 'mirrored', clock);
  const published = (build: number) => `us-docker.pkg.dev/gar/harness/delegate:24.10.${build}`;
  await rig.published(published(4), 'stable', { force: true });
  for (const mirror of ['', 'mirror:5000/', 'mirror:5000/hub/']) {
    const name = `edge-${mirror.length}`;
    const image = (build: number) => `${mirror}gar/harness/delegate:24.10.${build}`;
    await rig.delegate(name, '24.10.3');
    assert.deepEqual(await rig.told(image(3), name), [published(4), true]);
    assert.deepEqual(await rig.told(image(4), name), [image(4), false]);
    await rig.delegate(name, '24.10.4', { hostName: `${name}-new` });
    assert.equal(await rig.stateOf(name), 'ON');
  }
  clock.advance(31);
  const own = await rig.admin('GET', '/upgrades/account');
  const attempts = own.body['resource']?.['attempts'] as unknown as readonly { outcome: string }[];
  assert.deepEqual([attempts.length, ...new Set(attempts.map(({ outcome }) => outcome))], [3, 'HEALTHY']);
});

managerTest(
  'an image that names no version has the one of its delegate, and is left when nobody knows it',
  async (t, dev) => {
    const rig = await UpgradeRig.create(t, dev, 'no-version', clock);
    const to = 'harness/delegate:24.10.5';
    await rig.published(to, 'stable', { force: true });
    const images = ['harness/delegate:latest', 'harness/delegate', `harness/delegate:latest@${DIGEST}`];
    const all = async (name: string, told: boolean) => {
      for (const image of images) assert.deepEqual(await rig.told(image, name), [told ? to : image, told], image);
    };
    await all('absent', false);
    await rig.delegate('newer', '24.11.1');
    await all('newer', false);
    const { body } = await rig.check(images[0] ?? '', 'newer');
    assert.match(
      String(body['resource']?.['reason']),
      /latest stays.*its delegate reports the newer version 24\.11\.1/,
    );
    await rig.delegate('strange', '0.1.0');
    await all('strange', false);
    assert.equal(await rig.stateOf('strange'), 'SYNCHRONIZING');
    await rig.delegate('older', '24.09.1');
    await all('older', true);
    const answer = (await rig.check(images[0] ?? '', 'older')).body['resource'];
    assert.equal(answer?.['currentVersion'], '24.09.1');
    assert.deepEqual(await rig.told(images[0] ?? ''), [images[0], false], 'about several: the newest counts');
    for (const tag of ['v24.11.1', '24.11.1-ubi'])
      assert.deepEqual(await rig.told(`harness/delegate:${tag}`, 'older'), [`harness/delegate:${tag}`, false]);
    assert.deepEqual(await rig.told('harness/delegate:v24.09.1', 'absent'), [to, true]);
    const pinned = `harness/delegate@${DIGEST}`;
    assert.deepEqual(await rig.told(pinned, 'older'), [pinned, false], 'a pin is not taken away');
    await rig.published(to, 'stable', { force: true, allowOlder: true });
    await all('newer', true);
    assert.deepEqual(await rig.told(pinned, 'older'), [to, true], 'older is meant');
  },
);

managerTest('one account does not stop the others’ upgrades while their upgraders are silent', async (t, dev) => {
  const rig = await UpgradeRig.create(t, dev, 'only-caller', clock);
  const silent = await UpgradeRig.create(t, dev, 'silent', clock);
  const [from, to] = ['harness/delegate:24.10.7', 'harness/delegate:24.10.8'];
  await silent.delegate('edge', '24.10.7');
  await silent.told(from, 'edge');
  clock.advance(91);
  await rig.published(to, 'stable', { force: true });
  for (const name of ['a', 'b', 'c']) {
    await rig.delegate(name, '24.10.7');
    for (const tag of [from, to, from]) await rig.told(tag, name);
  }
  const release = await rings(dev);
  assert.deepEqual([release['status'], release['failed']], ['ACTIVE', 2], 'the account itself is not told any more');
  assert.deepEqual(await silent.told(from, 'edge'), [to, true]);
});

managerTest('one healthy delegate of the canary does not hide the others that failed', async (t, dev) => {
  const failing = await UpgradeRig.create(t, dev, 'canary-fails', clock);
  const working = await UpgradeRig.create(t, dev, 'canary-works', clock);
  const [from, to] = ['harness/delegate:24.10.5', 'harness/delegate:24.10.6'];
  for (const rig of [failing, working]) await rig.ring('canary');
  await failing.published(to, 'canary', { allowOlder: true });
  await working.delegate('edge', '24.10.5');
  await working.told(from, 'edge');
  for (const name of ['a', 'b', 'c', 'd']) {
    await failing.delegate(name, '24.10.5');
    await failing.told(from, name);
    await failing.told(to, name);
  }
  await working.told(to, 'edge');
  await working.delegate('edge', '24.10.6', { hostName: 'new-pod' });
  clock.advance(31);
  const { status, body } = await failing.publish(to, 'stable', { allowOlder: true });
  assert.equal(status, 409, JSON.stringify(body));
  assert.match(String(body['message']), /4 of the 5 delegates that took it .* failed, too many in 1 of 2 accounts/);
  for (const rig of [failing, working]) await rig.ring('stable');
});

managerTest('names that no delegate has are not remembered, however many a token holder sends', async (t, dev) => {
  const rig = await UpgradeRig.create(t, dev, 'names', clock);
  await rig.published('harness/delegate:24.10.9', 'stable', { force: true });
  await rig.delegate('edge', '24.10.1');
  for (const name of ['edge', 'a', 'b', 'c']) await rig.told('harness/delegate:24.10.1', name);
  const own = await rig.admin('GET', '/upgrades/account');
  const attempts = own.body['resource']?.['attempts'] as unknown as readonly { delegate: string }[];
  assert.deepEqual(attempts.map(({ delegate }) => delegate).sort(), ['', 'edge']);
});

managerTest('whether a delegate registered with an image is answered about the own account only', async (t, dev) => {
  const rig = await UpgradeRig.create(t, dev, 'registered-a', clock);
  const other = await UpgradeRig.create(t, dev, 'registered-b', clock);
  await rig.delegate('edge', '24.11.1', { hostName: 'host-1' });
  const ask = async (of: UpgradeRig, query: string, name = 'edge') => {
    const path = `/api/upgrade-check/registered?delegateName=${name}&since=${clock.now().getTime()}&${query}`;
    const { status, body } = await (await of.agent('upgrader')).call('GET', path);
    return [status, body['resource']?.['registered'], body['resource']?.['connected']];
  };
  assert.deepEqual(await ask(rig, 'imageTag=a:24.11.1'), [200, true, true]);
  assert.deepEqual(await ask(rig, 'imageTag=a:24.11.1&hostName=host-1'), [200, true, true]);
  assert.deepEqual(await ask(rig, 'imageTag=a:24.11.1&hostName=host-2'), [200, false, false]);
  assert.deepEqual(await ask(rig, 'imageTag=a:24.11.2'), [200, false, false]);
  const since = clock.now().getTime();
  await rig.delegate('own', '0.1.0');
  const path = `/api/upgrade-check/registered?delegateName=own&imageTag=a:24.11.2&since=`;
  const asked = async (moment: number) =>
    (await (await rig.agent('upgrader')).call('GET', `${path}${moment}`)).body['resource']?.['connected'];
  assert.equal(await asked(since), true, 'its version says nothing of its image: it was heard of since');
  assert.equal(await asked(clock.now().getTime()), false);
  assert.deepEqual(await ask(rig, 'imageTag=a:24.11.1', 'edge-2'), [200, false, false]);
  assert.deepEqual(await ask(other, 'imageTag=a:24.11.1'), [200, false, false]);
});

async function rings(dev: Parameters<Parameters<typeof managerTest>[1]>[1]) {
  const status = await dev.must('GET', '/ng/api/upgrades/rings');
  return status[1]?.['releases']?.[0] ?? assert.fail('nothing is published');
}
