import assert from 'node:assert/strict';
import type { DevAgent } from '@sallyport/dev-env';
import { onBothManagers } from './both-managers.ts';
import { PolicyRig } from './policy-rig.ts';

// Delegates that are pinned to their certificates: at every call of the agent protocol, and on what is open already.

const bothTest = onBothManagers();

const pinOf = (name: string) => `delegates/${name}/pinned-certificate`;

/** The code of every call that a delegate may make in another one's place. */
async function impersonate(impostor: DevAgent, victim: DevAgent): Promise<readonly string[]> {
  const agent = impostor.as(victim.id);
  const register = { delegateName: victim.name };
  const answers = [
    await impostor.register(register),
    // By its id, under a name that nobody has pinned: that would rename it.
    await impostor.register({ delegateId: victim.id, delegateName: 'somebody' }),
    await agent.heartbeat(),
    await agent.poll(),
    await agent.acquire('0'),
    await agent.report('0', {}),
    await agent.call('POST', '/api/executions/0/task-response?runnerId='.concat(victim.id), {}),
    await agent.call('POST', '/api/executions/0/response?delegateId='.concat(victim.id), {}),
    await agent.call('POST', `/api/agent/delegates/register-delegate-capacity/${victim.id}`, {
      maximumNumberOfBuilds: 0,
    }),
    await agent.call('POST', '/api/agent/delegates/unregister', { delegateId: victim.id }),
  ];
  return answers.map(({ status, body }) => (status === 200 ? 'ACCEPTED' : String(body['code'])));
}

bothTest('a pinned delegate is accepted with its certificate only, at every call, and never plain', async (t, dev) => {
  const rig = await PolicyRig.create(t, dev, 'pinning');
  const { fleet } = rig;
  const mine = await rig.authority.client('edge-1');
  const victim = await fleet.onMtls('edge-1', mine);
  const pinned = await rig.must('PUT', pinOf('edge-1'));
  assert.deepEqual(pinned.body['resource']?.['fingerprints'], [mine.facts.fingerprint256]);

  const thief = await fleet.onMtls('thief', await rig.authority.client('thief'));
  const plain = await fleet.plain('plain');
  for (const impostor of [thief, plain]) {
    const codes = await impersonate(impostor, victim);
    assert.deepEqual([...new Set(codes)], ['IDENTITY_NOT_ALLOWED'], codes.join());
    await assert.rejects(impostor.as(victim.id).stream(), /401/);
  }
  assert.equal((await victim.heartbeat()).status, 200, 'nobody has unregistered or renamed it');
  const listed = await dev.must(
    'POST',
    `/ng/api/delegate-setup/listDelegates?accountIdentifier=${fleet.account.id}`,
    {},
  );
  const names = (listed as unknown as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names.sort(), ['edge-1', 'plain', 'thief']);
  const refusals = (await rig.must('GET', 'refusals')).body['resource'] as unknown as {
    reason: string;
    message: string;
  }[];
  assert.ok(refusals.every(({ reason }) => reason === 'IDENTITY_NOT_ALLOWED'));
  assert.ok(refusals.some(({ message }) => /The delegate "edge-1" is pinned .* came without mTLS/.test(message)));
});

bothTest(
  'pinning cuts who is there under that name by another way, streaming or not, and nobody else',
  async (t, dev) => {
    const rig = await PolicyRig.create(t, dev, 'cutting');
    const { fleet } = rig;
    const [mine, theirs] = [await rig.authority.client('edge'), await rig.authority.client('other')];
    const right = await rig.stream('edge', mine);
    const impostor = await rig.stream('edge', theirs);
    const idle = await fleet.onMtls('edge', theirs);
    const plain = await fleet.plain('edge');
    const held = plain.poll(20).then(
      () => 'answered',
      () => 'cut',
    );
    const bystander = await rig.stream('bystander', theirs);
    const pin = () => rig.must('PUT', pinOf('edge'), { fingerprints: [mine.facts.fingerprint256.toUpperCase()] });
    await rig.cuts('IDENTITY_NOT_ALLOWED', pin, { cut: [impostor], kept: [right, bystander], with: theirs });
    await Promise.all([idle.connection.gone, plain.connection.gone]);
    assert.equal(await held, 'cut');

    // While the certificate is being replaced, both are right.
    const next = await rig.authority.client('edge');
    const fingerprints = [mine, next].map(({ facts }) => facts.fingerprint256);
    await rig.must('PUT', pinOf('edge'), { fingerprints });
    assert.equal(right.isOpen, true);
    const renewed = await rig.stream('edge', next);
    await rig.must('DELETE', pinOf('edge'));
    assert.equal((await fleet.plain('edge')).id.length, 36);
    assert.equal(renewed.isOpen, true);
    assert.equal((await rig.call('DELETE', pinOf('edge'))).status, 404);
    assert.deepEqual((await rig.must('GET', 'pinned-certificates')).body['resource'], []);
    assert.equal((await rig.audit('delegate.pinned')).length, 2);
  },
);

bothTest(
  'a delegate is pinned to the certificate that it came with, when there is one and only one',
  async (t, dev) => {
    const rig = await PolicyRig.create(t, dev, 'which');
    const { fleet } = rig;
    const refused = async (name: string, message: RegExp, body?: object) => {
      const answer = await rig.call('PUT', pinOf(name), body);
      assert.equal(answer.status, body === undefined ? 409 : 400);
      assert.match(String(answer.body['message']), message);
    };
    await refused('nobody', /has not come with a client certificate yet/);
    await fleet.plain('plain');
    await refused('plain', /has not come with a client certificate yet/);
    const [a, b] = [await rig.authority.client('a'), await rig.authority.client('b')];
    const first = await fleet.onMtls('twins', a);
    await fleet.onMtls('twins', b);
    await refused('twins', /different certificates: [0-9a-f]{64}, [0-9a-f]{64}/);
    await refused('twins', /is no SHA-256 fingerprint/, { fingerprints: ['abc'] });
    await refused('twins', /fingerprints/, { fingerprints: [] });
    await refused('a%0Ab', /control characters/, { fingerprints: ['a'.repeat(64)] });
    await rig.must('PUT', pinOf('twins'), { fingerprints: [a, b].map(({ facts }) => facts.fingerprint256) });
    assert.equal((await first.heartbeat()).status, 200);
  },
);
