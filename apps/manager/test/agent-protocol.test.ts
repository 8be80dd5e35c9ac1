import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type DevAccount,
  DevAgent,
  type DevAnswer,
  type DevBody,
  DevManager,
  eventually,
  KeptConnection,
  TestAuthority,
} from '@sallyport/dev-env';
import { agentPaths } from '@sallyport/protocol';

// The agent protocol by hand, as clients speak it that we did not write.

const clock = { ahead: 0, now: () => new Date(Date.now() + clock.ahead) };
let dev: DevManager;
let acme: DevAccount;
let beta: DevAccount;
const opened: KeptConnection[] = [];

before(async () => {
  dev = await DevManager.start({ clock });
  acme = await dev.account('acme');
  beta = await dev.account('beta');
});
after(async () => {
  for (const connection of opened) connection.close();
  await dev.stop();
});

let count = 0;
const unique = (word: string) => {
  count += 1;
  return `${word}-${count}`;
};

async function plain(): Promise<KeptConnection> {
  const connection = await KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
  opened.push(connection);
  return connection;
}

interface Wish {
  readonly account?: DevAccount;
  readonly token?: string;
  readonly name?: string;
  readonly tags?: readonly string[];
}

async function unregistered({
  account = acme,
  token = account.token,
  name = unique('delegate'),
  tags = [],
}: Wish = {}) {
  const now = () => clock.now().getTime();
  return new DevAgent(await plain(), { accountId: account.id, token, name, tags, now });
}

async function registered(wish: Wish = {}, more: Readonly<Record<string, unknown>> = {}): Promise<DevAgent> {
  const agent = await unregistered(wish);
  assert.equal((await agent.register(more)).status, 200);
  return agent;
}

async function task(
  selectors: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
  account = acme,
): Promise<string> {
  const body = { type: 'ECHO', data: { say: 'hello' }, selectors, ...more };
  const made = await dev.must('POST', `/ng/api/tasks?accountIdentifier=${account.id}`, body, account.adminKey);
  return String(made['id']);
}

function stored(id: string, wait = 0, account = acme): Promise<DevBody> {
  const query = `accountIdentifier=${account.id}&waitSeconds=${wait}`;
  return dev.must('GET', `/ng/api/tasks/${id}?${query}`, undefined, account.viewerKey);
}

function refused(answer: DevAnswer, status: number, code: string): void {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.equal(answer.body['code'], code);
  assert.equal(answer.headers['x-harness-error'], code);
}

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
  assert.deepEqual(warnings, []);
});

test('a task is acquired unwrapped, again by the same delegate, and by no other', async () => {
  const agent = await registered();
  const other = await registered();
  const id = await task([], { timeout: 30_000 });
  const answer = await agent.acquire(id);
  assert.equal(answer.status, 200);
  const { timeout, ...rest } = answer.body as unknown as { timeout: number };
  assert.ok(Number.isInteger(timeout) && timeout > 25_000 && timeout <= 30_000);
  assert.deepEqual(rest, {
    id,
    type: 'ECHO',
    data: { say: 'hello' },
    async: true,
    logging: { token: '', abstractions: { taskId: id } },
    delegate: { id: agent.id, instance_id: agent.id, token: '' },
    capabilities: [],
  });
  assert.equal((await agent.acquire(id)).status, 200, 'its first answer may have been lost');
  refused(await other.acquire(id), 409, 'CONFLICT');
  const { delegateName, status } = (await stored(id)) as unknown as { delegateName: string; status: string };
  assert.deepEqual([delegateName, status], [agent.name, 'RUNNING']);
  await agent.report(id, { id, data: null, type: 'ECHO', code: 'OK' });
  refused(await agent.acquire(id), 409, 'CONFLICT');
  refused(await agent.acquire('no-such-task'), 404, 'ENTITY_NOT_FOUND');
});

test('a delegate gets no task whose selectors or type are not its own, nor one of another account', async () => {
  const agent = await registered({ tags: ['linux'] }, { supportedTaskTypes: ['ECHO'] });
  refused(await agent.acquire(await task(['production'])), 403, 'ACCESS_DENIED');
  refused(await agent.acquire(await task(['linux', 'production'])), 403, 'ACCESS_DENIED');
  refused(await agent.acquire(await task(['linux'], { type: 'OTHER' })), 403, 'ACCESS_DENIED');
  refused(await agent.acquire(await task([], {}, beta)), 404, 'ENTITY_NOT_FOUND');
  const foreign = await registered({ account: beta });
  const id = await task(['linux']);
  // Its own account with another's delegate id, and the other way round.
  const path = `${agentPaths.acquire(agent.id, id)}`;
  assert.equal((await foreign.call('PUT', path)).status, 404);
  assert.equal((await agent.acquire(id)).status, 200);
});

test('a task that twenty delegates run for is given to one', async () => {
  const runners = await Promise.all(Array.from({ length: 20 }, () => registered({ tags: ['race'] })));
  for (let round = 0; round < 3; round += 1) {
    const id = await task(['race']);
    const answers = await Promise.all(runners.map((runner) => runner.acquire(id)));
    const winners = runners.filter((_, index) => answers[index]?.status === 200);
    assert.equal(winners.length, 1);
    assert.equal(answers.filter(({ status }) => status === 409).length, 19);
    assert.equal((await stored(id))['delegateId'], winners[0]?.id);
  }
});

const shell = (exitCode: number) => ({
  exitCode,
  signal: null,
  stdout: 'out',
  stderr: '',
  truncated: false,
  timedOut: false,
  durationMs: 5,
});
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');

const REPORTS: Readonly<
  Record<
    string,
    { runner?: 'task-response' | 'response'; body?: unknown; status: string; result: unknown; error?: RegExp }
  >
> = {
  'the usual form': { body: { data: { a: [1] }, type: 'ECHO', code: 'OK' }, status: 'SUCCEEDED', result: { a: [1] } },
  'no body at all': { status: 'SUCCEEDED', result: null },
  'a body of nothing': { body: '', status: 'SUCCEEDED', result: null },
  'a failure with a reason': {
    body: { code: 'FAILED', error: 'it broke' },
    status: 'FAILED',
    result: null,
    error: /^it broke$/,
  },
  'a failure without one': {
    body: { code: 'RETRY_ON_OTHER_DELEGATE' },
    status: 'FAILED',
    result: null,
    error: /RETRY_ON_OTHER_DELEGATE/,
  },
  'a script that ended well': { body: { code: 'OK', data: shell(0) }, status: 'SUCCEEDED', result: shell(0) },
  'OK, and a script that did not': {
    body: { code: 'OK', data: shell(3) },
    status: 'FAILED',
    result: shell(3),
    error: /exit status 3/,
  },
  'the runner form': {
    runner: 'task-response',
    body: { code: 'OK', data: base64({ b: 2 }) },
    status: 'SUCCEEDED',
    result: { b: 2 },
  },
  'the other runner form': {
    runner: 'response',
    body: { code: 'OK', data: base64(shell(7)) },
    status: 'FAILED',
    result: shell(7),
    error: /exit status 7/,
  },
  'a runner form of text': {
    runner: 'response',
    body: { code: 'OK', data: Buffer.from('plain').toString('base64') },
    status: 'SUCCEEDED',
    result: 'plain',
  },
  'a runner form without a body': { runner: 'task-response', status: 'SUCCEEDED', result: null },
  'a runner that timed out': {
    runner: 'response',
    body: { code: 'TIMEOUT', error: 'late' },
    status: 'FAILED',
    result: null,
    error: /late/,
  },
};

test('a task ends as its delegate reports, in every form that clients use', async () => {
  const agent = await registered();
  for (const [form, { runner, body, status, result, error }] of Object.entries(REPORTS)) {
    const id = await task([agent.name]);
    assert.equal((await agent.acquire(id)).status, 200);
    const answer =
      runner === undefined
        ? await agent.report(id, body)
        : runner === 'response'
          ? await agent.call('POST', `${agentPaths.runnerResponse(id)}?delegateId=${agent.id}`, body)
          : await agent.call('POST', `${agentPaths.taskResponse(id)}?runnerId=${agent.id}`, body);
    assert.equal(answer.status, 200, form);
    const ended = await stored(id);
    assert.equal(ended['status'], status, form);
    assert.deepEqual(ended['result'], result, form);
    if (error === undefined) assert.equal(ended['error'], null, form);
    else assert.match(String(ended['error']), error, form);
  }
});

test('only the report of who holds the task counts, and only the first', async () => {
  const agent = await registered();
  const other = await registered();
  const foreign = await registered({ account: beta });
  const id = await task([agent.name]);
  await agent.acquire(id);
  for (const imposter of [other, foreign]) {
    assert.equal(
      (await imposter.report(id, { code: 'OK', data: 'mine' })).status,
      200,
      'no reason to repeat it for minutes',
    );
    assert.equal((await stored(id))['status'], 'RUNNING');
  }
  const named = await agent.call('POST', agentPaths.runnerResponse(id), { code: 'OK' });
  refused(named, 400, 'INVALID_REQUEST');
  await agent.report(id, { code: 'OK', data: 'first' });
  assert.equal((await agent.report(id, { code: 'FAILED', error: 'second' })).status, 200);
  const ended = await stored(id);
  assert.deepEqual([ended['status'], ended['result']], ['SUCCEEDED', 'first']);
  const waiting = await task([agent.name]);
  await agent.report(waiting, { code: 'OK', data: 'not even taken' });
  assert.equal((await stored(waiting))['status'], 'QUEUED');
});

test('whoever waits for a task is answered when it ends', async () => {
  const agent = await registered();
  const id = await task([agent.name]);
  const waiting = stored(id, 20);
  await agent.acquire(id);
  await agent.report(id, { code: 'OK', data: 42 });
  assert.equal((await waiting)['result'], 42);
});

test('an aborted task is taken back: its delegate is told on its stream, and what it then reports changes nothing', async () => {
  const agent = await registered();
  const stream = await agent.on(await plain()).stream();
  const abort = (id: string) =>
    dev.api('POST', `/ng/api/tasks/${id}/abort?accountIdentifier=acme`, undefined, acme.adminKey);
  const id = await task([agent.name]);
  await eventually('it is pushed', () => stream.events.some(({ delegateTaskId }) => delegateTaskId === id));
  await agent.acquire(id);
  assert.equal((await abort(id)).body['resource']?.['status'], 'ABORTED');
  await eventually('the delegate is told', () =>
    stream.events.some(
      ({ delegateTaskId, eventType }) => delegateTaskId === id && eventType === 'DelegateTaskAbortEvent',
    ),
  );
  await agent.report(id, { code: 'OK', data: 'too late' });
  assert.deepEqual([(await stored(id))['status'], (await stored(id))['result']], ['ABORTED', null]);
  refused(await abort(id), 409, 'CONFLICT');

  const untaken = await task([unique('nobody')]);
  assert.equal((await abort(untaken)).status, 200);
  const poller = await registered();
  const polled = await task([poller.name]);
  await poller.acquire(polled);
  const held = poller.poll(20);
  await abort(polled);
  const events = (await held).body['delegateTaskEvents'] as unknown as DevBody[];
  assert.deepEqual(
    events.map((event) => [String(event['delegateTaskId']), String(event['eventType'])]),
    [[polled, 'DelegateTaskAbortEvent']],
  );
  stream.socket.terminate();
});

test('a stream brings what waits already, then what comes; a delegate at its capacity of nought is offered nothing', async () => {
  const agent = await registered({ tags: ['streaming'] });
  const early = await task(['streaming']);
  const stream = await agent.on(await plain()).stream();
  await eventually('what waited', () => stream.events.some(({ delegateTaskId }) => delegateTaskId === early));
  await agent.acquire(early);
  const full = await agent.call('POST', agentPaths.capacity(agent.id), { maximumNumberOfBuilds: 0 });
  assert.equal(full.status, 200);
  const free = await registered({ tags: ['streaming'] });
  const freeStream = await free.on(await plain()).stream();
  for (let time = 0; time < 5; time += 1) {
    const id = await task(['streaming']);
    await eventually('the other is offered it', () =>
      freeStream.events.some(({ delegateTaskId }) => delegateTaskId === id),
    );
    assert.ok(!stream.events.some(({ delegateTaskId }) => delegateTaskId === id));
    await free.acquire(id);
  }
  for (const one of [stream, freeStream]) one.socket.terminate();
});

test('the tasks of a delegate that is lost fail with that reason; those of one that comes back in time go on', async () => {
  const lost = await registered();
  const lostStream = await lost.on(await plain()).stream();
  const back = await registered();
  const backStream = await back.on(await plain()).stream();
  const [ofLost, ofBack] = [await task([lost.name]), await task([back.name])];
  await lost.acquire(ofLost);
  await back.acquire(ofBack);
  lostStream.socket.terminate();
  backStream.socket.terminate();
  for (const { name } of [lost, back])
    await eventually('its absence is known', async () => (await connectedIds(name)).length === 0);
  clock.ahead += 50_000;
  await back.heartbeat();
  await eventually('it is known to be back', async () => (await connectedIds(back.name)).length > 0);
  clock.ahead += 11_000;
  const failed = await stored(ofLost, 20);
  assert.equal(failed['status'], 'FAILED');
  assert.match(String(failed['error']), /^its delegate 'delegate-\d+' is lost: no connection for 60 s$/);
  assert.equal((await stored(ofBack))['status'], 'RUNNING');
});

async function connectedIds(delegateName: string): Promise<string[]> {
  const path = '/ng/api/delegate-setup/listDelegates?accountIdentifier=acme';
  const [listed] = (await dev.must('POST', path, { delegateName })) as unknown as {
    delegateReplicas: { uuid: string; connected: boolean }[];
  }[];
  return (listed?.delegateReplicas ?? []).filter(({ connected }) => connected).map(({ uuid }) => uuid);
}

test('a task that nobody takes expires, and says what it was waiting for', async () => {
  const id = await task(['no-such-tag'], { timeout: 5_000 });
  clock.ahead += 6_000;
  const expired = await stored(id, 20);
  assert.equal(expired['status'], 'EXPIRED');
  assert.match(String(expired['error']), /no delegate took it within 5 s \(it asks for "no-such-tag"\)/);
});
