import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DevBody, eventually } from '@sallyport/dev-env';
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
  stored,
  task,
  unique,
} from './agent-protocol-rig.ts';

startsManager();

test('a task is acquired unwrapped, again by the same delegate, and by no other', async () => {
  const agent = await registered();
  const other = await registered();
  const id = await task([], { timeout: 30_000 });
  const answer = await agent.acquire(id);
  assert.equal(answer.status, 200);
  const { timeout, logging, ...rest } = answer.body as unknown as {
    timeout: number;
    logging: { token: string; abstractions: object };
  };
  assert.match(logging.token, /^slg1\.[\w-]+\.[\w-]{43}$/);
  assert.deepEqual(logging.abstractions, { taskId: id });
  assert.ok(Number.isInteger(timeout) && timeout > 25_000 && timeout <= 30_000);
  assert.deepEqual(rest, {
    id,
    type: 'ECHO',
    data: { say: 'hello' },
    async: true,
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

test('a task that nobody takes expires, and says what it was waiting for', async () => {
  const id = await task(['no-such-tag'], { timeout: 5_000 });
  clock.ahead += 6_000;
  const expired = await stored(id, 20);
  assert.equal(expired['status'], 'EXPIRED');
  assert.match(String(expired['error']), /no delegate took it within 5 s \(it asks for "no-such-tag"\)/);
});
