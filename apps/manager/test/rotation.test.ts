import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSecureContext, type SecureContext } from 'node:tls';
import { AgentTokenSource, Secret } from '@sallyport/client';
import {
  createTestDatabase,
  DevAgent,
  DevManager,
  dropTestDatabase,
  KeptConnection,
  TestAuthority,
  testPostgres,
} from '@sallyport/dev-env';
import type { AuthorityDetails, Refusal } from '@sallyport/protocol';
import { FleetRig } from './fleet-rig.ts';

const DELEGATES = 1_000;
const BATCH = 50;
/** Each is used by several delegates: making a certificate costs more than a handshake. */
const CERTIFICATES = 20;

// On PostgreSQL, whose test server does not wait for the disk: a thousand registrations are a thousand commits.
const postgresUrl = testPostgres();

/** Runs the work for every number below `count`, a batch at a time. */
async function inBatches(count: number, work: (index: number) => Promise<void>): Promise<void> {
  for (let start = 0; start < count; start += BATCH) {
    await Promise.all(Array.from({ length: Math.min(BATCH, count - start) }, (_, n) => work(start + n)));
  }
}

test('a fleet of 1,000 moves from one CA to another: no handshake is refused, no connection is lost', async (t) => {
  const url = await createTestDatabase(await postgresUrl());
  const environment = { SALLYPORT_DATABASE_URL: url, SALLYPORT_MASTER_KEY: '5a'.repeat(32) };
  // Time stands still: on a busy machine a thousand registrations take longer than a delegate may be silent.
  const started = Date.now();
  const dev = await DevManager.start({ environment, clock: { now: () => new Date(started) } });
  t.after(async () => {
    await dev.stop();
    await dropTestDatabase(url);
  });
  const rig = await FleetRig.create(t, dev, 'fleet', 'STRICT');
  const { id: accountId, token } = rig.account;
  const tokens = new AgentTokenSource({
    accountId,
    token: new Secret(token),
    issuer: 'fleet',
    audience: 'manager',
    now: () => started,
  });
  const next = await TestAuthority.create('Next CA');
  const contexts = (authority: TestAuthority): Promise<SecureContext[]> =>
    Promise.all(
      Array.from({ length: CERTIFICATES }, async (_, n) => {
        const { certificatePem, privateKeyPem } = await authority.client(`edge-${n}`);
        // Of the ways to agree on a key the one that costs least: two thousand hybrid ones are a tenth of this test.
        return createSecureContext({ cert: certificatePem, key: privateKeyPem, ecdhCurve: 'prime256v1' });
      }),
    );
  const underOld = await contexts(rig.authority);
  const underNew = await contexts(next);

  const closed = new Set<KeptConnection>();
  const open = async (under: readonly SecureContext[], index: number): Promise<KeptConnection> => {
    const secureContext = under[index % CERTIFICATES];
    assert.ok(secureContext);
    const { port } = dev.manager.mtlsAddress;
    const connection = await KeptConnection.open({ port, serverName: rig.name, secureContext });
    t.after(() => connection.close());
    void connection.gone.then(() => closed.add(connection));
    return connection;
  };
  const fleet: DevAgent[] = [];
  await inBatches(DELEGATES, async (index) => {
    const agent = new DevAgent(await open(underOld, index), { accountId, token, tokens, name: `edge-${index}` });
    fleet[index] = agent;
    assert.equal((await agent.register()).status, 200);
  });
  const authorities = async () => (await dev.must('GET', rig.path('authorities'))) as unknown as AuthorityDetails[];
  const users = async () =>
    (await authorities()).map(({ usedBy }) => usedBy.filter(({ connected }) => connected).length);
  assert.deepEqual(await users(), [DELEGATES]);

  await dev.must('POST', rig.path('authorities'), { caCertificates: next.certificatePem });
  await inBatches(DELEGATES, async (index) => assert.equal((await fleet[index]?.heartbeat())?.status, 200));
  assert.equal(closed.size, 0, 'adding a CA touches no connection');
  assert.deepEqual(await users(), [DELEGATES, 0]);
  const [old] = await authorities();
  const path = rig.path(`authorities/${old?.fingerprint}`);
  assert.equal((await dev.api('DELETE', path)).status, 409);

  await inBatches(DELEGATES, async (index) => {
    const agent = fleet[index];
    assert.ok(agent);
    const moved = agent.on(await open(underNew, index));
    assert.equal((await moved.heartbeat()).status, 200);
    fleet[index] = moved;
    agent.connection.close();
    await agent.connection.gone;
    if (index === DELEGATES / 2)
      assert.equal((await dev.api('DELETE', path)).status, 409, 'half of them still need it');
  });
  assert.equal(closed.size, DELEGATES, 'each closed its own old connection');
  assert.deepEqual(await users(), [0, DELEGATES]);

  const removed = await dev.api('DELETE', path);
  assert.equal(removed.status, 200, JSON.stringify(removed.body));
  assert.deepEqual(removed.body['metaData']?.['cutOff'], []);
  await inBatches(DELEGATES, async (index) => assert.equal((await fleet[index]?.heartbeat())?.status, 200));
  assert.equal(closed.size, DELEGATES, 'removing the old CA touches no connection');
  // Counted at the door itself, by every outcome that it knows: nothing was refused, failed or timed out.
  const metrics = String((await dev.api('GET', '/metrics')).body);
  const outcomes = [...metrics.matchAll(/^sallyport_handshakes_total\{listener="mtls",outcome="(\w+)"\} (\d+)$/gm)];
  assert.deepEqual(
    outcomes.filter(([, , count]) => count !== '0').map(([, outcome, count]) => [outcome, Number(count)]),
    [['admitted', 2 * DELEGATES]],
  );
  const refusals = (await dev.must('GET', rig.path('refusals'))) as unknown as Refusal[];
  assert.deepEqual(refusals, []);
});
