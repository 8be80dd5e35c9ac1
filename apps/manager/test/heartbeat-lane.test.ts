import assert from 'node:assert/strict';
import { tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { after, test } from 'node:test';
import type { DevAgent, DevAnswer, KeptRequest } from '@sallyport/dev-env';
import { agentPaths } from '@sallyport/protocol';
import { beta, clock, dev, plain, registered, startsManager, unique, unregistered } from './agent-protocol-rig.ts';

startsManager();

const path = `${agentPaths.heartbeat}?accountId=acme`;
/** The same route by its other name, which the short way does not know. */
const longPath = `/gateway${path}`;

/** Heartbeats that the framework handled, which publishes each request that reaches a handler. */
let handled = 0;
const channel = tracingChannel<object, { request?: { url?: string } }>('fastify.request.handler');
const count = {
  start: (context: { request?: { url?: string } }) => {
    if (context.request?.url?.includes('heartbeat-with-polling')) handled += 1;
  },
};
channel.subscribe(count as never);
after(() => channel.unsubscribe(count as never));

async function beats(agent: DevAgent, request: KeptRequest = {}, to = path): Promise<DevAnswer> {
  const body = {
    accountId: 'acme',
    delegateId: agent.id,
    delegateName: agent.name,
    lastHeartBeat: clock.now().getTime(),
  };
  const headers = { authorization: await agent.authorization(), ...request.headers };
  return agent.connection.request('POST', to, { body, ...request, headers });
}

/** A delegate whose heartbeats take the short way from here on. */
async function steady(name = unique('steady')): Promise<DevAgent> {
  const agent = await registered({ name });
  assert.equal((await beats(agent)).status, 200);
  return agent;
}

async function takesShortWay(agent: DevAgent, request?: KeptRequest): Promise<DevAnswer> {
  const before = handled;
  const answer = await beats(agent, request);
  assert.equal(handled, before, 'the framework had nothing to do with it');
  return answer;
}

test('a heartbeat that changes nothing is answered without the framework, with the same words', async () => {
  const agent = await steady();
  const short = await takesShortWay(agent);
  const before = handled;
  const long = await beats(agent, {}, longPath);
  assert.equal(handled, before + 1);
  const told = ({ status, headers, body }: DevAnswer) => ({ status, headers: { ...headers, date: null }, body });
  assert.deepEqual(told(short), told(long));
  assert.deepEqual(short.body['resource'], { delegateId: agent.id, status: 'ENABLED' });
});

test('the short way keeps a delegate present, counts its requests and writes their line', async () => {
  const agent = await steady();
  const seen = async () => {
    const listed = await dev.must('POST', '/ng/api/delegate-setup/listDelegates?accountIdentifier=acme', {
      delegateName: agent.name,
    });
    return Number((listed as unknown as { lastHeartBeat: number }[])[0]?.lastHeartBeat);
  };
  const counted = async () => {
    const text = String((await dev.api('GET', '/metrics')).body);
    const route = `route="${agentPaths.heartbeat}"`;
    const value = (name: string) =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(name) && line.includes(route))
          ?.split(' ')
          .at(-1),
      );
    return [value('sallyport_http_requests_total'), value('sallyport_http_request_duration_seconds_count')];
  };
  const [at, [requests = 0, durations = 0]] = [await seen(), await counted()];
  const lines = () => dev.log().split('"request"').length;
  clock.ahead += 5_000;
  try {
    const written = lines();
    await takesShortWay(agent);
    assert.ok((await seen()) >= at + 5_000);
    assert.deepEqual(await counted(), [requests + 1, durations + 1]);
    assert.ok(lines() > written);
  } finally {
    clock.ahead -= 5_000;
  }
});

test('clients that write null for what they do not have, and those that send more than we know, take the short way', async () => {
  const agent = await steady();
  const body = { delegateId: agent.id, version: null, tags: null, aFieldOfTheFuture: { nested: [null] } };
  assert.equal((await takesShortWay(agent, { body })).status, 200);
});

// Each would be an unchecked request if the short way said yes to it. What the framework's way says of the same request
// on the same connection is the measure.
const odd: readonly [string, (agent: DevAgent) => KeptRequest | Promise<KeptRequest>][] = [
  ['without a token', () => ({ headers: { authorization: '' } })],
  [
    'with a token of another account',
    async () => ({ headers: { authorization: await (await unregistered({ account: beta })).authorization() } }),
  ],
  [
    'with a scheme that is none',
    async (agent) => ({ headers: { authorization: (await agent.authorization()).replace('Delegate', 'Bearer') } }),
  ],
  ['for another host', () => ({ host: 'other.agent.localhost' })],
  ['for a host that only begins like it', () => ({ host: 'localhost.evil.example' })],
  ['of a delegate that is not registered', () => ({ body: { delegateId: 'nobody' } })],
  ['of nobody at all', () => ({ body: {} })],
  ['whose body is no JSON', () => ({ body: '{' })],
  ['whose body is no object', () => ({ body: '"text"' })],
  ['whose body is null', () => ({ body: 'null' })],
  ['whose body is empty', () => ({ body: '' })],
  ['with a field of the wrong type', (agent) => ({ body: { delegateId: agent.id, tags: 'linux' } })],
  ['with an id that is a number', () => ({ body: { delegateId: 7 } })],
  ['with a poisoned prototype', (agent) => ({ body: `{"delegateId":"${agent.id}","__proto__":{"admin":true}}` })],
  ['with a poisoned constructor', (agent) => ({ body: `{"delegateId":"${agent.id}","constructor":{"prototype":{}}}` })],
  ['with an escape', (agent) => ({ body: `{"delegateId":"${agent.id}","\\u005f_proto__":{}}` })],
  ['sent as text', () => ({ headers: { 'content-type': 'text/plain' } })],
  ['with a charset that we do not read', () => ({ headers: { 'content-type': 'application/json; charset=utf-16' } })],
  ['of 20 kB', (agent) => ({ body: { delegateId: agent.id, aField: 'x'.repeat(20_000) } })],
  ['larger than any body may be', (agent) => ({ body: { delegateId: agent.id, aField: 'x'.repeat(300_000) } })],
];
/** Those that are right, and only not in the form that the short way takes. */
const unusual = new Set(['of 20 kB', 'with a charset that we do not read']);
for (const [what, of] of odd) {
  test(`a heartbeat ${what} is answered as the framework's way answers it`, async () => {
    const agent = await steady();
    const other = agent.on(await plain());
    await beats(other);
    const request = await of(agent);
    const told = ({ status, body, headers }: DevAnswer) => {
      const { correlationId, ...words } = typeof body === 'object' && body !== null ? body : { body };
      return { status, words, code: headers['x-harness-error'], known: typeof correlationId };
    };
    const [short, long] = [await beats(agent, request), await beats(other, request, longPath)];
    assert.deepEqual(told(short), told(long));
    assert.equal(short.status === 200, unusual.has(what));
  });
}

test('a heartbeat whose body takes its time is judged by what is true when it has come', async () => {
  const tokens = '/ng/api/delegate-token-ng?accountIdentifier=acme&tokenName=slow';
  const token = Buffer.from(String((await dev.must('POST', tokens))['value']), 'base64').toString();
  const agent = await registered({ token, name: unique('slow') });
  await beats(agent);
  await takesShortWay(agent);
  const body = JSON.stringify({ delegateId: agent.id });
  const headers = {
    host: 'localhost',
    authorization: await agent.authorization(),
    'content-type': 'application/json',
    'content-length': body.length,
  };
  const heartbeat = request({ agent: agent.connection.agent, method: 'POST', path, headers });
  const answered = once(heartbeat, 'response');
  heartbeat.write(body.slice(0, 5));
  await dev.must('PUT', tokens);
  heartbeat.end(body.slice(5));
  const [answer] = (await answered) as [IncomingMessage];
  assert.equal(answer.headers['x-harness-error'], 'REVOKED_TOKEN');
});

// Whoever may have a body read without being known makes us keep one on each connection, for as long as requests may take.
test('a stranger is answered before its heartbeat has a body', async () => {
  const { agent } = await plain();
  const headers = { host: 'localhost', 'content-type': 'application/json', 'content-length': 16_000 };
  const heartbeat = request({ agent, method: 'POST', path, headers });
  heartbeat.flushHeaders();
  const [answer] = (await once(heartbeat, 'response')) as [IncomingMessage];
  assert.equal(answer.headers['x-harness-error'], 'INVALID_TOKEN');
  heartbeat.destroy();
});
