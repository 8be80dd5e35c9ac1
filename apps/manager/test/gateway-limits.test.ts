import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { before, type TestContext, test } from 'node:test';
import { converse, eventually, rawTls, TestAuthority } from '@sallyport/dev-env';
import type { IssuedPair } from '@sallyport/trust';
import { answerClientError } from '../src/gateway/client-errors.ts';
import { type GatewayRig, type GatewayRigOptions, gatewayRig } from './gateway-rig.ts';

let ca: TestAuthority;
let client: IssuedPair;
let stranger: IssuedPair;

before(async () => {
  ca = await TestAuthority.create('CA');
  client = await ca.client('delegate');
  stranger = await (await TestAuthority.create('Another CA')).client('delegate');
});

/** With the accounts acme and other, who trust the same CA. */
async function rigOfTwo(t: TestContext, options: GatewayRigOptions): Promise<GatewayRig> {
  const rig = await gatewayRig(t, options);
  for (const account of ['acme', 'other']) rig.endpoints.set(account, { caCertificates: ca.certificatePem });
  return rig;
}

const open = (rig: GatewayRig, account: string, certificate: IssuedPair = client) =>
  rawTls({ port: rig.ports.mtls, serverName: `${account}.agent.localhost`, certificate });

async function get(rig: GatewayRig, account: string, certificate: IssuedPair = client): Promise<string> {
  const socket = await open(rig, account, certificate);
  return converse(socket, `GET / HTTP/1.1\r\nhost: ${account}.agent.localhost\r\nconnection: close\r\n\r\n`);
}

/** A TCP connection that says nothing, from an address of the test's choice. */
async function silent(t: TestContext, port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  t.after(() => socket.destroy());
  // One that is reset may be so before it knows that it was connected.
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
    socket.once('close', () => resolve());
    socket.on('error', () => socket.destroy());
  });
  // Whoever does not read does not see the end.
  return socket.resume();
}

function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

test('an address at its connections gets the next one reset before TLS, and another address does not notice', async (t) => {
  const rig = await rigOfTwo(t, { limits: { sourceConnections: 3 } });
  const { mtls, public: open } = rig.ports;
  const held = await Promise.all([silent(t, mtls), silent(t, mtls), silent(t, open)]);
  await ended(await silent(t, mtls));
  await ended(await silent(t, open));
  assert.equal(rig.bounds.counts.limits.of('source_connections'), 2);
  const elsewhere = await silent(t, mtls, '127.0.0.2');
  await eventually('both addresses are known', () => rig.bounds.sources.size === 2);
  assert.equal(elsewhere.closed, false);

  for (const socket of [...held, elsewhere]) socket.destroy();
  await eventually('nothing is remembered of who has gone', () => rig.bounds.sources.size === 0);
  assert.match(await get(rig, 'acme'), /200 OK/);
});

test('handshakes of an address in flight are bounded, and finished ones do not count', async (t) => {
  const rig = await rigOfTwo(t, { limits: { sourceHandshakesInFlight: 2 } });
  const finished = await Promise.all([open(rig, 'acme'), open(rig, 'acme')]);
  const [first] = await Promise.all([silent(t, rig.ports.mtls), silent(t, rig.ports.mtls)]);
  await ended(await silent(t, rig.ports.mtls));
  assert.equal(rig.bounds.counts.limits.of('source_handshakes_in_flight'), 1);
  first.destroy();
  await eventually('its place is free', async () => (await get(rig, 'acme').catch(() => '')).includes('200 OK'));
  for (const socket of finished) socket.destroy();
});

test('handshakes of all addresses are bounded together: who has the most makes room, and nobody is kept out', async (t) => {
  const rig = await rigOfTwo(t, { limits: { handshakesInFlight: 6 } });
  const { mtls } = rig.ports;
  const { sources, counts } = rig.bounds;
  const flood = async (address: string, count: number): Promise<Socket[]> => {
    const sockets: Socket[] = [];
    for (let opened = 0; opened < count; opened += 1) sockets.push(await silent(t, mtls, address));
    return sockets;
  };
  const greedy = await flood('127.0.0.2', 4);
  const modest = await flood('127.0.0.3', 2);
  await eventually('all are in their handshake', () => sources.handshaking === 6);
  assert.match(await get(rig, 'acme'), /200 OK/, 'an address with nothing in flight gets through');
  await eventually('it has the place of the oldest of the heaviest', () => greedy[0]?.closed === true);
  assert.equal(counts.limits.of('handshakes_in_flight'), 1);
  await eventually('nothing of that one is left', () => counts.handshakes.of('mtls:failed') === 1);

  const [own] = await flood('127.0.0.2', 1);
  await eventually('it has the place that became free', () => sources.handshaking === 6);
  const [late] = await flood('127.0.0.2', 1);
  await eventually('it is reset', () => late?.closed === true);
  assert.equal(counts.limits.of('handshakes_in_flight'), 2);
  assert.equal(own?.closed, false, 'the heaviest does not push out its own');
  await flood('127.0.0.4', 3);
  await eventually('the heaviest makes room', () => greedy.filter(({ closed }) => closed).length === 3);
  assert.deepEqual([sources.handshaking, modest.filter(({ closed }) => closed).length], [6, 0]);
  assert.match(await get(rig, 'other'), /200 OK/);
  for (const socket of [...greedy, ...modest]) socket.destroy();
});

test('handshakes of an address a second are bounded', async (t) => {
  const rig = await rigOfTwo(t, { limits: { sourceHandshakes: { perSecond: 0.001, burst: 2 } } });
  assert.match(await get(rig, 'acme'), /200 OK/);
  assert.match(await get(rig, 'other'), /200 OK/);
  await assert.rejects(get(rig, 'acme'), /ECONNRESET|disconnected/);
  assert.equal(rig.bounds.counts.limits.of('source_handshake_rate'), 1);
});

test('handshakes of one account in flight are bounded, and another account gets through meanwhile', async (t) => {
  const rig = await rigOfTwo(t, { limits: { accountHandshakesInFlight: 1 } });
  assert.match(await get(rig, 'acme'), /200 OK/, 'a handshake that is over does not count');
  // A client that has said hello and then nothing: TLS 1.3 ends when the server has the client's last message.
  const half = await silent(t, rig.ports.mtls);
  half.write(await clientHello('acme.agent.localhost'));
  await once(half, 'data');
  for (let turn = 1; turn <= 5; turn += 1) {
    await assert.rejects(open(rig, 'acme'));
    assert.equal(rig.bounds.counts.limits.of('account_handshakes_in_flight'), turn);
    assert.match(await get(rig, 'other'), /200 OK/, 'one for one, however often the first comes');
  }
  // Work is what tells: of all these handshakes, those of the account at its limit came to no end that costs a signature.
  assert.equal(rig.bounds.counts.handshakes.of('mtls:admitted'), 6);
  half.destroy();
  await eventually('its place is free', async () => (await get(rig, 'acme').catch(() => '')).includes('200 OK'));
});

test('an account at its connections is told 429 and when to come back; another account is not concerned', async (t) => {
  const rig = await rigOfTwo(t, { limits: { accountConnections: 2 } });
  const held = await Promise.all([open(rig, 'acme'), open(rig, 'acme')]);
  await eventually('both are admitted', () => rig.connections.size === 2);
  for (let turn = 1; turn <= 4; turn += 1) {
    assert.match(await get(rig, 'acme'), /^HTTP\/1\.1 429 /);
    assert.match(await get(rig, 'other'), /200 OK/, 'one for one, however often the first comes');
    assert.equal(rig.connections.ofAccount('acme').length, 2, 'nothing of those that were refused is kept');
  }
  const answer = await get(rig, 'acme');
  assert.match(answer, /^HTTP\/1\.1 429 .*\r\n/);
  assert.match(answer, /\r\nretry-after: 1\r\n/i);
  assert.match(answer, /"code":"TOO_MANY_REQUESTS".*2 connections open/);
  assert.equal(rig.bounds.counts.limits.of('account_connections'), 5);
  assert.match(await get(rig, 'other'), /200 OK/);
  held[0]?.destroy();
  await eventually('its place is free', async () => (await get(rig, 'acme')).includes('200 OK'));
  held[1]?.destroy();
});

test('a flood of refused connections gets no explanations any more, is recorded whole, and leaves the others theirs', async (t) => {
  const rig = await rigOfTwo(t, { limits: { accountRefusals: { perSecond: 0.001, burst: 2 } } });
  const explained = async (account: string) => (await get(rig, account, stranger)).includes('UNKNOWN_ISSUER');
  const answers = [await explained('acme'), await explained('acme'), await explained('acme'), await explained('acme')];
  assert.deepEqual(answers, [true, true, false, false]);
  assert.equal(await explained('other'), true);
  assert.equal(rig.bounds.counts.limits.of('account_refusal_rate'), 2);
  await rig.recorder.flush();
  const counted = rig.refusals
    .filter(({ accountId }) => accountId === 'acme')
    .reduce((sum, { count }) => sum + count, 0);
  assert.equal(counted, 4);
});

test('refused connections that stay open take a part of the places only', async (t) => {
  const rig = await rigOfTwo(t, { limits: { accountExplanationsOpen: 1 } });
  const slow = await open(rig, 'acme', stranger);
  await eventually('it has the place', () => rig.bounds.counts.handshakes.of('mtls:refused') === 1);
  assert.equal(await get(rig, 'acme', stranger), '');
  assert.match(await get(rig, 'other', stranger), /UNKNOWN_ISSUER/);
  slow.destroy();
});

test('an address that floods us with refused connections gets no explanations any more', async (t) => {
  const rig = await rigOfTwo(t, { limits: { sourceRefusals: { perSecond: 0.001, burst: 1 } } });
  assert.match(await get(rig, 'acme', stranger), /UNKNOWN_ISSUER/);
  assert.equal(await get(rig, 'other', stranger), '');
  assert.equal(rig.bounds.counts.limits.of('source_refusal_rate'), 1);
  assert.match(await get(rig, 'other'), /200 OK/, 'who is admitted needs no explanation');
});

test('a handshake that does not come to its end is ended, on both listeners', async (t) => {
  const rig = await rigOfTwo(t, { handshakeTimeoutMs: 100 });
  const silentOnes = await Promise.all([silent(t, rig.ports.mtls), silent(t, rig.ports.public)]);
  await Promise.all(silentOnes.map(ended));
  assert.equal(rig.bounds.counts.limits.of('handshake_time'), 2);
  assert.equal(rig.bounds.counts.handshakes.of('mtls:timed_out'), 1);
  assert.equal(rig.bounds.counts.handshakes.of('public:timed_out'), 1);
});

test('headers that are too large, or too slow, are answered so and end the connection', async (t) => {
  const rig = await rigOfTwo(t, {
    http: { headersTimeout: 50, requestTimeout: 100, connectionsCheckingInterval: 20, maxHeaderSize: 4_096 },
  });
  const { limits } = rig.bounds.counts;
  rig.api.on('clientError', (error, socket) => answerClientError(error, socket, limits));
  const large = await open(rig, 'acme');
  assert.match(await converse(large, `GET / HTTP/1.1\r\nx: ${'x'.repeat(5_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  const slow = await open(rig, 'acme');
  assert.match(await converse(slow, 'GET / HTTP/1.1\r\nhost: '), /^HTTP\/1\.1 408 /);
  const slowBody = await open(rig, 'acme');
  const head = 'POST /agent HTTP/1.1\r\nhost: acme.agent.localhost\r\ncontent-length: 100\r\n\r\n';
  assert.match(await converse(slowBody, head), /408 Request Timeout/);
  assert.match(await converse(await open(rig, 'acme'), 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.deepEqual([limits.of('header_size'), limits.of('request_time')], [1, 2]);
});

/** The first bytes that a TLS client sends. */
async function clientHello(serverName: string): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const attempt = rawTls({ port: (server.address() as AddressInfo).port, serverName });
  const [taken] = (await once(server, 'connection')) as [Socket];
  const [hello] = (await once(taken, 'data')) as [Buffer];
  taken.destroy();
  server.close();
  await assert.rejects(attempt);
  return hello;
}
