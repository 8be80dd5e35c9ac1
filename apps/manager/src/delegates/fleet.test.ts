import assert from 'node:assert/strict';
import { onBothDatabases } from '@sallyport/dev-env';
import { AccountStore } from '../accounts/account-store.ts';
import { type Database, openDatabase } from '../database/open-database.ts';
import { createLogger } from '../http/logger.ts';
import { type Delegate, DelegateStore, type Registration } from './delegate-store.ts';
import { fleetOf } from './fleet.ts';
import { Presence, type Via } from './presence.ts';

const storeTest = onBothDatabases(openDatabase);
const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);
const certificate = (fingerprint: string) => ({
  subject: `CN=${fingerprint}`,
  issuer: 'CN=CA',
  serialNumber: '01',
  fingerprint,
  notBefore: START,
  notAfter: START + 24 * HOUR,
});
const onMtls = (fingerprint: string, anchor: string | null): Via => ({
  transport: 'MTLS',
  certificate: certificate(fingerprint),
  anchor,
  tokenId: 'none',
});
const PLAIN: Via = { transport: 'PLAIN', certificate: null, anchor: null, tokenId: 'none' };

/** One replica over the database, at a moment of the test's choice. */
async function replica({ database }: Database, id = 'replica-1') {
  const clock = { at: START, now: () => new Date(clock.at) };
  const store = new DelegateStore(database);
  const presence = new Presence(id, store, clock, createLogger('silent'));
  await store.renewLease(id, START + HOUR);
  const come = async (delegateId: string, via: Via, { name = delegateId, hostName = `host-${delegateId}` } = {}) => {
    const registration: Registration = {
      id: delegateId,
      accountId: 'acme',
      name,
      hostName,
      type: 'DOCKER',
      description: '',
      ip: '',
      version: '',
      tags: [],
      supportedTaskTypes: [],
      polling: true,
      transport: via.transport,
      certificate: via.certificate,
      tokenId: null,
    };
    const delegate: Delegate = { ...registration, connected: true, registeredAt: clock.at, lastSeen: clock.at };
    if ((await store.find('acme', delegateId)) === null) await store.register(registration, id, clock.at);
    presence.touch(delegate, via);
    await presence.flush();
  };
  const leave = async (delegateId: string) => {
    presence.leave('acme', delegateId);
    await presence.flush();
  };
  const fleet = () => fleetOf(database, 'acme', clock.at);
  const uses = async () =>
    Object.fromEntries(
      (await database.selectFrom('authority_uses').selectAll().orderBy('fingerprint').execute()).map((row) => [
        `${row.delegate_name} ${row.fingerprint}`,
        (row.last_used - START) / HOUR,
      ]),
    );
  return { clock, store, presence, come, leave, fleet, uses };
}

const acme = ({ database }: Database) =>
  new AccountStore(database).insert({
    identifier: 'acme',
    name: 'acme',
    status: 'ACTIVE',
    mtlsEnabled: true,
    createdAt: START,
  });

storeTest('an instance that comes back plain is remembered with its last time on mTLS', async (_t, database) => {
  await acme(database);
  const { clock, come, leave, fleet } = await replica(database);
  await come('d1', onMtls('f1', 'ca1'));
  clock.at += HOUR;
  const [live] = await fleet();
  assert.deepEqual(live?.mtls, { at: START + HOUR, since: START, certificate: certificate('f1'), anchor: 'ca1' });
  await come('d1', PLAIN);
  clock.at += HOUR;
  const [plain] = await fleet();
  assert.equal(plain?.transport, 'PLAIN');
  assert.deepEqual(plain.mtls, {
    at: START + HOUR,
    since: START + HOUR,
    certificate: certificate('f1'),
    anchor: 'ca1',
  });
  await leave('d1');
  clock.at += HOUR;
  await come('d1', PLAIN);
  assert.deepEqual((await fleet())[0]?.mtls, plain.mtls, 'coming back plain is no time on mTLS');
});

storeTest('which CA a chain ended at is kept with when that was last so', async (_t, database) => {
  await acme(database);
  const { clock, come, leave, uses, store, fleet, presence } = await replica(database);
  await come('d1', onMtls('f1', 'ca1'));
  clock.at += HOUR;
  await come('d1', onMtls('f2', 'ca2'));
  assert.deepEqual(await uses(), { 'd1 ca1': 1, 'd1 ca2': 1 });
  clock.at += HOUR;
  presence.touchKnown('acme', 'd1', onMtls('f2', 'ca2'));
  await leave('d1');
  assert.deepEqual(await uses(), { 'd1 ca1': 1, 'd1 ca2': 2 });

  await come('d1', onMtls('f2', 'ca2'));
  clock.at += HOUR;
  await store.releaseReplica('replica-1', clock.at);
  assert.equal((await fleet())[0]?.mtls?.at, clock.at, 'a replica that dies held it until it was found dead');
  const next = await replica(database, 'replica-2');
  next.clock.at = clock.at + 2 * HOUR;
  await next.come('d1', onMtls('f3', 'ca3'));
  assert.deepEqual(await uses(), { 'd1 ca1': 1, 'd1 ca2': 3, 'd1 ca3': 5 });
  assert.equal((await fleet())[0]?.mtls?.anchor, 'ca3');
});

storeTest(
  'the same certificate under another CA of the bundle is written, a heartbeat is not',
  async (_t, database) => {
    await acme(database);
    const { clock, come, presence, store, uses } = await replica(database);
    await come('d1', onMtls('f1', 'ca1'));
    clock.at += HOUR;
    assert.ok(presence.touchKnown('acme', 'd1', onMtls('f1', 'ca1')));
    await presence.flush();
    assert.equal((await store.find('acme', 'd1'))?.lastSeen, START);
    assert.ok(presence.touchKnown('acme', 'd1', onMtls('f1', 'ca2')));
    await presence.flush();
    assert.equal((await store.find('acme', 'd1'))?.lastSeen, START + HOUR);
    assert.deepEqual(await uses(), { 'd1 ca1': 1, 'd1 ca2': 1 });
  },
);

storeTest('a token that is deleted meanwhile does not hold up what is written of others', async (_t, database) => {
  await acme(database);
  const { come, presence, store, fleet } = await replica(database);
  await come('d1', PLAIN);
  await come('d2', PLAIN);
  presence.touchKnown('acme', 'd1', { ...PLAIN, tokenId: 'deleted' });
  presence.touchKnown('acme', 'd2', onMtls('f1', 'ca1'));
  await presence.flush();
  assert.equal((await store.find('acme', 'd1'))?.tokenId, null);
  assert.equal((await fleet())[1]?.transport, 'MTLS');
});

storeTest(
  'a pod that was rolled over is no member of the fleet, a second host of one name is',
  async (_t, database) => {
    await acme(database);
    const { clock, come, leave, fleet, store } = await replica(database);
    const names = async () => (await fleet()).map(({ delegateId, connected }) => `${delegateId} ${connected}`);
    await come('host-a', PLAIN, { name: 'edge' });
    await come('host-b', PLAIN, { name: 'edge' });
    await come('pod-1', PLAIN, { name: 'pods' });
    clock.at += 5 * HOUR;
    await come('pod-2', onMtls('f1', 'ca1'), { name: 'pods' });
    clock.at += HOUR / 2;
    await leave('pod-1');
    await leave('host-a');
    assert.deepEqual(await names(), ['host-a false', 'host-b true', 'pod-2 true']);

    const listed = async () => (await store.ofAccount('acme', clock.at)).map(({ id }) => id);
    assert.deepEqual(await listed(), ['host-a', 'host-b', 'pod-1', 'pod-2']);
    clock.at += 7 * HOUR;
    await store.forgetGone(clock.at);
    assert.deepEqual(await listed(), ['host-b', 'pod-2'], 'lists show what left within six hours');
    assert.equal(await store.find('acme', 'pod-1'), null);
    assert.deepEqual(await names(), ['host-a false', 'host-b true', 'pod-2 true']);
    clock.at += 91 * 24 * HOUR;
    await store.forgetGone(clock.at);
    assert.deepEqual(await names(), ['host-b true', 'pod-2 true'], 'nobody is remembered for ever');
  },
);
