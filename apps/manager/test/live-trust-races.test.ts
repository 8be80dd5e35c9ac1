import assert from 'node:assert/strict';
import { once } from 'node:events';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { eventually, KeptConnection, rawTls, TestAuthority } from '@sallyport/dev-env';
import type { IssuedPair } from '@sallyport/trust';
import { EncryptJWT } from 'jose';
import { Gate, type GatewayRig, gatewayRig } from './gateway-rig.ts';

// A change of trust that falls into the middle of a decision. What a decision looks up is held here at a gate, with the
// answer of before the change already read; then the change comes, and then the gate opens.

let oldCa: TestAuthority;
let newCa: TestAuthority;
let client: IssuedPair;
let betaCa: TestAuthority;

before(async () => {
  oldCa = await TestAuthority.create('Old CA');
  newCa = await TestAuthority.create('New CA');
  betaCa = await TestAuthority.create('Beta CA');
  client = await oldCa.client('delegate');
});

const ACME = 'acme.agent.localhost';
const KEY = Buffer.from('00112233445566778899aabbccddeeff', 'hex');

async function rigWithAcme(t: Parameters<typeof gatewayRig>[0]): Promise<GatewayRig> {
  const rig = await gatewayRig(t);
  rig.endpoints.set('acme', { caCertificates: oldCa.certificatePem });
  rig.endpoints.set('beta', { caCertificates: betaCa.certificatePem });
  for (const accountId of ['acme', 'beta']) {
    rig.tokens.set(accountId, [{ id: accountId, key: KEY, status: 'ACTIVE', revokeAfter: null }]);
  }
  return rig;
}

/** Holds the next lookup, and only that one. */
function holdNext(rig: GatewayRig): Gate {
  const gate = new Gate();
  rig.endpoints.gate = () => {
    rig.endpoints.gate = async () => undefined;
    return gate.pass();
  };
  return gate;
}

const connect = (rig: GatewayRig): Promise<TLSSocket> =>
  rawTls({ port: rig.ports.mtls, serverName: ACME, certificate: client });

async function endsSoon(socket: TLSSocket): Promise<void> {
  if (!socket.closed) await once(socket, 'close', { signal: AbortSignal.timeout(2_000) });
}

async function authorization(accountId: string): Promise<string> {
  const jwt = new EncryptJWT({ sub: accountId }).setProtectedHeader({ alg: 'dir', enc: 'A128GCM' });
  return `Delegate ${await jwt.setExpirationTime('10 min').encrypt(KEY)}`;
}

const CHANGES = {
  'another CA': () => ({ caCertificates: newCa.certificatePem }),
  'another name': () => ({ fqdn: 'elsewhere.agent.localhost' }),
  deletion: () => null,
} as const;

for (const [title, change] of Object.entries(CHANGES)) {
  test(`a handshake that began before the change is not admitted after it (${title})`, async (t) => {
    const rig = await rigWithAcme(t);
    const gate = holdNext(rig);
    const connecting = connect(rig);
    await gate.reached;
    await rig.change('acme', change());
    gate.open();
    await endsSoon(await connecting);
    assert.equal(rig.admitted.length, 0);
    await eventually('nothing is left of it', () => rig.connections.size === 0);
  });

  test(`a change between the handshake's two looks at its endpoint ends it (${title})`, async (t) => {
    const rig = await rigWithAcme(t);
    // What the first look finds would serve for the second; an announcement in between makes that one ask again.
    const first = holdNext(rig);
    const connecting = connect(rig);
    await first.reached;
    const held = holdNext(rig);
    await rig.bus.deliver({ type: 'trust-changed', accountId: 'acme' });
    first.open();
    const socket = await connecting;
    await held.reached;
    assert.equal(rig.connections.ofAccount('acme').length, 1, 'it is registered before the look');
    await rig.change('acme', change());
    await endsSoon(socket);
    held.open();
    await sleep(0);
    assert.equal(rig.admitted.length, 0);
  });
}

test('a handshake under way is not disturbed by a change of another account, or of the mode, or by an added CA', async (t) => {
  const rig = await rigWithAcme(t);
  for (const disturb of [() => rig.change('beta', { mode: 'STRICT' }), () => rig.change('acme', { mode: 'STRICT' })]) {
    const gate = holdNext(rig);
    const connecting = connect(rig);
    await gate.reached;
    await disturb();
    gate.open();
    const socket = await connecting;
    await eventually('it is admitted', () => rig.admitted.length > 0);
    rig.admitted.length = 0;
    socket.destroy();
    await rig.bus.deliver({ type: 'trust-changed', accountId: 'acme' });
  }
});

async function plainRequest(
  rig: GatewayRig,
  accountId: string,
): Promise<{ connection: KeptConnection; answer: Promise<string> }> {
  const connection = await KeptConnection.open({ port: rig.ports.public, serverName: 'localhost' });
  const headers = { authorization: await authorization(accountId) };
  const answer = connection
    .request('GET', `/agent?accountId=${accountId}`, { headers })
    .then(({ status, body }) => `${status} ${String(body)}`);
  answer.catch(() => undefined);
  return { connection, answer };
}

test('a plain request that read LOOSE is cut when the flip to STRICT comes before its answer', async (t) => {
  const rig = await rigWithAcme(t);
  const gate = holdNext(rig);
  const { connection, answer } = await plainRequest(rig, 'acme');
  await gate.reached;
  await rig.change('acme', { mode: 'STRICT' });
  await endsSoon(connection.socket);
  gate.open();
  await assert.rejects(answer);
});

test('what a lookup brings from before the change is not kept for after it', async (t) => {
  const rig = await rigWithAcme(t);
  const gate = holdNext(rig);
  const early = await plainRequest(rig, 'acme');
  await gate.reached;
  await rig.change('acme', { mode: 'STRICT' });
  gate.open();
  await assert.rejects(early.answer);
  const late = await plainRequest(rig, 'acme');
  assert.match(await late.answer, /^401 /);
  await rig.change('acme', { mode: 'LOOSE' });
  assert.equal(
    await late.connection
      .request('GET', '/agent?accountId=acme', { headers: { authorization: await authorization('acme') } })
      .then(({ status }) => status),
    200,
  );
  late.connection.close();
});

test('a plain connection that was refused is no member of the account: the next change does not end it', async (t) => {
  const rig = await rigWithAcme(t);
  await rig.change('acme', { mode: 'STRICT' });
  const { connection, answer } = await plainRequest(rig, 'acme');
  assert.match(await answer, /^401 /);
  assert.equal(rig.connections.ofAccount('acme').length, 0);
  for (let account = 0; account < 100; account += 1) {
    await connection.request('GET', `/agent?accountId=invented-${account}`);
  }
  assert.deepEqual(rig.connections.accountIds(), [], 'nor of the accounts that it made up');
  connection.close();
});

test('a request for another account through its own endpoint, caught in a change of that account, ends nobody', async (t) => {
  const rig = await rigWithAcme(t);
  const connection = await KeptConnection.open({ port: rig.ports.mtls, serverName: ACME, certificate: client });
  const own = { authorization: await authorization('acme') };
  assert.equal((await connection.request('GET', '/agent?accountId=acme', { headers: own })).status, 200);
  const gate = holdNext(rig);
  const foreign = connection.request('GET', '/agent?accountId=beta', {
    headers: { authorization: await authorization('beta') },
  });
  await gate.reached;
  await rig.change('beta', { caCertificates: newCa.certificatePem, mode: 'STRICT' });
  gate.open();
  assert.equal((await foreign).status, 401);
  assert.equal((await connection.request('GET', '/agent?accountId=acme', { headers: own })).status, 200);
  connection.close();
});

test('when the new state cannot be read, the connections of the account end, and only those', async (t) => {
  const rig = await rigWithAcme(t);
  const betaClient = await betaCa.client('delegate');
  const own = await KeptConnection.open({ port: rig.ports.mtls, serverName: ACME, certificate: client });
  const other = await KeptConnection.open({
    port: rig.ports.mtls,
    serverName: 'beta.agent.localhost',
    certificate: betaClient,
  });
  await eventually('both are admitted', () => rig.admitted.length === 2);
  rig.endpoints.gate = async () => {
    throw new Error('the database is away');
  };
  await rig.bus.deliver({ type: 'trust-changed', accountId: 'acme' });
  await endsSoon(own.socket);
  assert.equal(other.isOpen, true);
  rig.endpoints.gate = async () => undefined;
  assert.equal((await other.request('GET', '/')).status, 200);
  other.close();
});

test('after announcements may have been missed, every connection is judged anew', async (t) => {
  const rig = await rigWithAcme(t);
  const betaClient = await betaCa.client('delegate');
  const own = await KeptConnection.open({ port: rig.ports.mtls, serverName: ACME, certificate: client });
  const other = await KeptConnection.open({
    port: rig.ports.mtls,
    serverName: 'beta.agent.localhost',
    certificate: betaClient,
  });
  const plain = await plainRequest(rig, 'beta');
  assert.match(await plain.answer, /^200 /);
  await eventually('all are admitted', () => rig.admitted.length === 3);
  // Changed by another replica, unheard.
  rig.endpoints.set('acme', { caCertificates: newCa.certificatePem });
  rig.endpoints.set('beta', { mode: 'STRICT' });
  await rig.bus.deliver({ type: 'resync' });
  await endsSoon(own.socket);
  await endsSoon(plain.connection.socket);
  assert.equal((await other.request('GET', '/')).status, 200);
  other.close();
});

test('closing the gateway ends connections that are in the middle of their handshake, or come through it meanwhile', async (t) => {
  const rig = await rigWithAcme(t);
  const gate = holdNext(rig);
  const connecting = connect(rig);
  connecting.catch(() => undefined);
  await gate.reached;
  const started = performance.now();
  const closing = rig.gateway.close();
  gate.open();
  await closing;
  assert.ok(performance.now() - started < 2_000);
});
