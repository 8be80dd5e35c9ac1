import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DevAgent, type DevBody, eventually, TestAuthority } from '@sallyport/dev-env';
import { agentPaths } from '@sallyport/protocol';
import {
  acme,
  beta,
  clock,
  connectedIds,
  dev,
  plain,
  refused,
  registered,
  startsManager,
  task,
  unique,
  unregistered,
} from './agent-protocol-rig.ts';

startsManager();

test('a delegate registers with all that known clients send, and no log has its secret', async () => {
  const agent = await unregistered({ name: 'r1' });
  const answer = await agent.call('POST', agentPaths.register, {
    accountId: 'acme',
    delegateName: 'r1',
    delegateType: 'DOCKER',
    ng: true,
    pollingModeEnabled: true,
    hostName: 'dlite-h1',
    sequenceNum: 1,
    ip: '10.0.0.4',
    supportedTaskTypes: ['ECHO'],
    lastHeartBeat: 1_760_000_000_000,
    delegateRandomToken: acme.token,
    heartbeatAsObject: true,
    aFieldOfTheFuture: { nested: [1] },
  });
  assert.equal(answer.status, 200);
  const delegateId = answer.body['resource']?.['delegateId'];
  assert.match(String(delegateId), /^[\w-]{1,64}$/);
  assert.deepEqual(answer.body, { metaData: {}, resource: { delegateId }, responseMessages: [] });
  assert.match(String(answer.headers['content-type']), /^application\/json/);
  const log = dev.log();
  assert.ok(!log.includes(acme.token) && !log.includes(Buffer.from(acme.token).toString('base64')));
  assert.ok(!log.includes((await agent.authorization()).slice('Delegate '.length)));
});

test('a delegate that names itself keeps its id; one that restarts on its host gets it back', async () => {
  const first = await registered({ name: 'restarting' });
  const again = await first.call('POST', agentPaths.register, {
    delegateId: first.id,
    delegateName: 'restarting',
    hostName: 'host-of-restarting',
  });
  assert.equal(again.body['resource']?.['delegateId'], first.id);
  const twin = await registered({ name: 'restarting' });
  assert.notEqual(twin.id, first.id, 'two at once are two');
  await first.call('POST', agentPaths.unregister, { delegateId: first.id });
  await eventually('its place is free', async () => !(await connectedIds('restarting')).includes(first.id));
  const successor = await registered({ name: 'restarting' });
  assert.equal(successor.id, first.id);
  assert.equal((await successor.heartbeat()).status, 200);
});

test('a registration without a name is refused, and so is a body that is none', async () => {
  for (const body of ['{}', '[]', '"x"', 'null', '{"delegateName":7}', '{"tags":"x"}', '{', '']) {
    const answer = await (await unregistered()).call('POST', agentPaths.register, body);
    refused(answer, 400, 'INVALID_REQUEST');
  }
});

test('a heartbeat needs a delegate of the account; without an id it registers', async () => {
  const agent = await registered();
  const beat = await agent.heartbeat();
  assert.deepEqual(beat.body['resource'], { delegateId: agent.id, status: 'ENABLED' });
  const unnamed = await agent.call('POST', agentPaths.heartbeat, { delegateName: unique('unnamed'), hostName: 'h' });
  assert.match(String(unnamed.body['resource']?.['delegateId']), /^[\w-]{1,64}$/);
  const unknown = await agent.call('POST', agentPaths.heartbeat, { delegateId: 'nobody' });
  refused(unknown, 404, 'DELEGATE_NOT_REGISTERED');

  const foreign = await registered({ account: beta });
  refused(await foreign.call('POST', agentPaths.heartbeat, { delegateId: agent.id }), 404, 'DELEGATE_NOT_REGISTERED');
  refused(await foreign.call('GET', agentPaths.taskEvents(agent.id)), 404, 'DELEGATE_NOT_REGISTERED');
  const capacity = await foreign.call('POST', agentPaths.capacity(agent.id), { maximumNumberOfBuilds: 0 });
  refused(capacity, 404, 'DELEGATE_NOT_REGISTERED');
});

test('the checks come in their order: account, transport, token', async () => {
  const connection = await plain();
  const ask = (path: string, authorization?: string) =>
    connection.request('POST', path, { headers: authorization === undefined ? {} : { authorization }, body: {} });
  const agent = await unregistered();
  const good = await agent.authorization();
  for (const path of [
    agentPaths.register,
    `${agentPaths.register}?accountId=`,
    `${agentPaths.register}?accountId=a%20b`,
    `${agentPaths.register}?accountId=acme&accountId=acme`,
    `${agentPaths.register}?accountIdentifier=acme`,
  ]) {
    const answer = await ask(path, good);
    assert.equal(answer.status, 401, path);
    assert.match(String(answer.body['message']), /names no account/, path);
  }
  const authority = await TestAuthority.create('CA');
  await dev.account('strict', { caCertificates: authority.certificatePem, mode: 'STRICT' });
  for (const authorization of [undefined, 'Delegate garbage', good]) {
    const answer = await ask(`${agentPaths.register}?accountId=strict`, authorization);
    refused(answer, 401, 'INVALID_AGENT_MTLS_AUTHORITY');
    assert.doesNotMatch(JSON.stringify(answer.body), /strict\.agent/, 'who has no token is not told the endpoint');
  }
  refused(await ask(`${agentPaths.register}?accountId=acme`), 401, 'INVALID_TOKEN');
  refused(await ask(`${agentPaths.register}?accountId=acme`, 'Delegate garbage'), 401, 'INVALID_TOKEN');
  refused(await ask(`${agentPaths.register}?accountId=beta`, good), 401, 'INVALID_TOKEN');
  refused(await ask(`${agentPaths.register}?accountId=nobody`, good), 401, 'INVALID_TOKEN');
  assert.equal((await ask(`${agentPaths.register}?accountId=acme`, good)).status, 400, 'past all of them');
});

test('a token works by itself, several do side by side, a revoked one is named so, an old JWE has expired', async () => {
  const tokens = '/ng/api/delegate-token-ng?accountIdentifier=acme';
  const made = await dev.must('POST', `${tokens}&tokenName=second`);
  const secret = Buffer.from(String(made['value']), 'base64').toString();
  const first = await registered();
  const second = await registered({ token: secret });
  assert.equal((await first.heartbeat()).status, 200);
  await dev.must('PUT', `${tokens}&tokenName=second`);
  refused(await second.heartbeat(), 401, 'REVOKED_TOKEN');
  assert.equal((await first.heartbeat()).status, 200);

  // Its clock stands still while the manager's goes on.
  const then = clock.now().getTime();
  const late = new DevAgent(await plain(), { accountId: 'acme', token: acme.token, now: () => then });
  assert.equal((await late.register()).status, 200);
  clock.ahead += 20 * 60_000 - 5_000;
  assert.equal((await late.heartbeat()).status, 200);
  clock.ahead += 6_000;
  refused(await late.heartbeat(), 401, 'EXPIRED_TOKEN');
  const retired = await registered();
  await dev
    .must('POST', `${tokens}&tokenName=ending&revokeAfter=${clock.now().getTime() + 30_000}`)
    .then(async (ending) => {
      const agent = await registered({ token: Buffer.from(String(ending['value']), 'base64').toString() });
      assert.equal((await agent.heartbeat()).status, 200);
      clock.ahead += 31_000;
      refused(await agent.heartbeat(), 401, 'REVOKED_TOKEN');
    });
  assert.equal((await retired.heartbeat()).status, 200);
});

test('a push stream ends at the moment from which its token is revoked', async () => {
  const tokens = '/ng/api/delegate-token-ng?accountIdentifier=acme';
  const end = clock.now().getTime() + 1_500;
  const ending = await dev.must('POST', `${tokens}&tokenName=ends-soon&revokeAfter=${end}`);
  const agent = await registered({ token: Buffer.from(String(ending['value']), 'base64').toString() });
  const { code, reason } = await (await agent.stream()).closed;
  assert.equal(code, 4401);
  assert.equal(reason, 'REVOKED_TOKEN: The delegate token was revoked.');
  const late = clock.now().getTime() - end;
  assert.ok(late >= 0, `${-late} ms early`);
});

test('what a client sends as null counts as not sent', async () => {
  const nothing = { tags: null, supportedTaskTypes: null, description: null, version: null, delegateId: null };
  const agent = await registered({}, nothing);
  assert.equal((await agent.heartbeat()).status, 200);
});

test("a poller is told of tasks that wait for it, at once or as soon as there is one, and of nobody else's", async () => {
  const agent = await registered({ name: 'poller', tags: ['linux'] });
  assert.deepEqual((await agent.poll()).body, { delegateTaskEvents: [] }, 'unwrapped');
  const held = agent.poll(20);
  const id = await task(['poller']);
  const event = {
    accountId: 'acme',
    delegateTaskId: id,
    sync: false,
    taskType: 'ECHO',
    eventType: 'DelegateTaskEvent',
  };
  assert.deepEqual((await held).body, { delegateTaskEvents: [event] });
  assert.deepEqual((await agent.poll(20)).body, { delegateTaskEvents: [event] }, 'until somebody takes it');
  await agent.acquire(id);

  const others = [await task(['windows']), await task(['poller', 'windows']), await task(['poller'], {}, beta)];
  const own = await task(['linux', 'poller']);
  const { body } = await agent.poll();
  const told = (body['delegateTaskEvents'] as unknown as DevBody[]).map((seen) => String(seen['delegateTaskId']));
  assert.deepEqual(told, [own]);
  for (const other of others) assert.ok(!told.includes(other));
});

test('many polls and waits on one connection leave nothing behind on it', async () => {
  const warnings: Error[] = [];
  const listen = (warning: Error) => void warnings.push(warning);
  process.on('warning', listen);
  const agent = await registered();
  for (let time = 0; time < 15; time += 1) {
    const waiting = agent.poll(20);
    const id = await task([agent.name]);
    await waiting;
    await agent.acquire(id);
    await agent.report(id);
    const path = `/ng/api/tasks/${id}?accountIdentifier=acme&waitSeconds=20`;
    await agent.connection.request('GET', path, { headers: { 'x-api-key': acme.viewerKey } });
  }
  process.off('warning', listen);
  assert.deepEqual(warnings.map(String), []);
});
