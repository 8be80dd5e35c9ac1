import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { eventually, onBothDatabases } from '@sallyport/dev-env';
import { isSigned, WebhookReceiver } from '../../test/webhook-receiver.ts';
import { ADMIN, START, WebhookRig } from '../../test/webhook-rig.ts';
import { AuditStore } from '../audit/audit-store.ts';
import { openDatabase } from '../database/open-database.ts';
import { RETRY_AFTER_MS } from './schedule.ts';

const databaseTest = onBothDatabases(openDatabase);
const DAY = 86_400_000;

databaseTest('an event is delivered once, signed anew at each attempt, until it is taken', async (t, database) => {
  const rig = await WebhookRig.create(t, database);
  const receiver = await WebhookReceiver.start(t);
  const { uuid, secret = '' } = await rig.webhooks.create('acme', { url: receiver.url() }, ADMIN);
  receiver.answer = (response) => void response.writeHead(receiver.received.length < 3 ? 503 : 204).end();
  await rig.put({ data: { what: 'mode' } });
  await rig.deliver();
  assert.deepEqual(await states(rig, uuid), ['WAITING 1 503']);
  assert.equal((await rig.only(uuid)).nextAttemptAt, START + RETRY_AFTER_MS[0]);
  assert.equal((await rig.state(uuid)).state, 'FAILING');
  await rig.deliver();
  assert.equal(receiver.received.length, 1, 'not before its time');
  for (const wait of RETRY_AFTER_MS.slice(0, 2)) {
    rig.clock.at += wait;
    await rig.deliver();
  }
  assert.deepEqual(await states(rig, uuid), ['DELIVERED 3 204']);
  assert.deepEqual([(await rig.state(uuid)).state, (await rig.only(uuid)).error], ['ACTIVE', null]);
  assert.equal(new Set(receiver.received.map(({ id }) => id)).size, 1);
  assert.equal(new Set(receiver.received.map(({ headers }) => headers['webhook-timestamp'])).size, 3);
  assert.ok(receiver.received.every((message) => isSigned(message, secret)));
  rig.clock.at += DAY;
  await rig.deliver();
  assert.equal(receiver.received.length, 3);
});

databaseTest(
  'after its last attempt an event has failed; five days without a success switch off',
  async (t, database) => {
    const rig = await WebhookRig.create(t, database);
    const receiver = await WebhookReceiver.start(t);
    const uuid = await rig.add(receiver.url());
    await receiver.stop();
    await rig.put();
    for (const wait of [0, ...RETRY_AFTER_MS]) {
      rig.clock.at += wait;
      await rig.deliver();
    }
    assert.deepEqual(await states(rig, uuid), ['FAILED 10 null']);
    assert.equal((await rig.only(uuid)).error, 'the connection was refused');
    assert.equal((await rig.state(uuid)).state, 'FAILING', 'two days only');

    rig.clock.at = START + 4 * DAY;
    await rig.put();
    rig.clock.at = START + 4 * DAY + 1;
    await rig.put();
    for (const wait of [0, ...RETRY_AFTER_MS]) {
      rig.clock.at += wait;
      await rig.deliver();
    }
    const off = await rig.state(uuid);
    assert.equal(off.state, 'OFF');
    assert.match(
      off.offReason ?? '',
      /^nothing was delivered since 2026-06-01T00:00:00.000Z: the connection was refused$/,
    );
    assert.deepEqual(await states(rig, uuid), ['FAILED 9 null', 'FAILED 10 null', 'FAILED 10 null']);
    assert.equal((await rig.only(uuid)).error, 'the webhook was switched off');
    const audit = await new AuditStore(database.database).list({ accountId: 'acme', since: 0, limit: 10 });
    assert.ok(audit.some(({ action, actor }) => action === 'webhook.switched-off' && actor === 'system'));
    await rig.put();
    assert.equal((await states(rig, uuid)).length, 3, 'nothing is queued while it is off');

    await receiver.resume();
    await rig.webhooks.test('acme', uuid, ADMIN);
    await rig.deliver();
    assert.equal((await rig.state(uuid)).state, 'ACTIVE', 'a test that is delivered switches it on');
    await rig.put();
    await rig.deliver();
    assert.deepEqual(
      receiver.received.map(({ payload }) => payload.type),
      ['webhook.test', 'endpoint.changed'],
    );
  },
);

databaseTest('410 switches off at once, with what waits; a test is sent once', async (t, database) => {
  const rig = await WebhookRig.create(t, database);
  const receiver = await WebhookReceiver.start(t);
  const uuid = await rig.add(receiver.url());
  receiver.answer = (response) => void response.writeHead(500).end();
  await rig.webhooks.test('acme', uuid, ADMIN);
  await rig.deliver();
  assert.deepEqual(await states(rig, uuid), ['FAILED 1 500']);
  receiver.answer = (response) => void response.writeHead(410).end();
  await rig.put();
  await rig.put();
  await rig.deliver();
  assert.equal((await rig.state(uuid)).state, 'OFF');
  assert.equal((await rig.state(uuid)).waiting, 0);
  assert.equal(receiver.received.length, 2);
});

databaseTest('two replicas deliver each event once, and one at a time to a receiver', async (t, database) => {
  const rig = await WebhookRig.create(t, database);
  const receiver = await WebhookReceiver.start(t);
  await rig.add(receiver.url());
  const replicas = [rig.deliverer, rig.replica('replica-2')];
  for (let event = 0; event < 20; event += 1) await rig.put();
  await eventually('all are delivered', async () => {
    await Promise.all(replicas.map((replica) => rig.deliver(replica)));
    return receiver.received.length >= 20;
  });
  assert.equal(receiver.received.length, 20);
  assert.equal(new Set(receiver.received.map(({ id }) => id)).size, 20);
  assert.ok(Math.max(...receiver.received.map(({ atOnce }) => atOnce)) <= 2, 'one of each replica');
});

databaseTest('a receiver that hangs holds nobody else up', async (t, database) => {
  const rig = await WebhookRig.create(t, database, ['acme', 'slow']);
  const hanging = await WebhookReceiver.start(t);
  hanging.answer = () => undefined;
  const receiver = await WebhookReceiver.start(t);
  for (let webhook = 0; webhook < 6; webhook += 1) await rig.add(hanging.url(), 'slow');
  const uuid = await rig.add(receiver.url());
  for (let event = 0; event < 3; event += 1) {
    await rig.put({ accountId: 'slow', at: START - DAY });
    await rig.put();
  }
  await eventually('all of acme are delivered', async () => {
    await rig.deliverer.look();
    return (await states(rig, uuid)).every((state) => state.startsWith('DELIVERED'));
  });
  assert.equal(hanging.received.length, 4, 'an account has four attempts at once');
  await rig.deliverer.stop();
  rig.clock.at += 1;
  hanging.answer = (response) => void response.end();
  await rig.deliver(rig.replica('replica-2'));
  assert.ok(hanging.received.length >= 8, 'what was cut short by the stop is due at once');
});

databaseTest('what a replica was at when it died is delivered by the next one', async (t, database) => {
  const rig = await WebhookRig.create(t, database);
  const receiver = await WebhookReceiver.start(t);
  const uuid = await rig.add(receiver.url());
  await rig.put();
  const claim = { claimed_by: 'replica-2', attempts: 1, next_attempt_at: START + 60_000 };
  await database.database.updateTable('webhook_deliveries').set(claim).execute();
  await rig.deliver();
  assert.equal(receiver.received.length, 0, 'its replica lives');
  await rig.lease('replica-2', START - 1);
  await rig.deliver();
  assert.deepEqual(await states(rig, uuid), ['DELIVERED 2 200']);
});

databaseTest('the outbox of an account is bounded, and says what it dropped', async (t, database) => {
  const rig = await WebhookRig.create(t, database);
  const uuid = await rig.add('http://127.0.0.1:9/');
  // Most of them in one transaction, which costs a third of one each.
  await database.database.transaction().execute(async (transaction) => {
    const event = { accountId: 'acme', type: 'endpoint.changed', at: START, data: {} } as const;
    for (let count = 0; count < 480; count += 1) await rig.outbox.put(transaction, event);
  });
  for (let count = 480; count < 505; count += 1) await rig.put();
  const { waiting, dropped } = await rig.state(uuid);
  assert.deepEqual([waiting, dropped], [500, 5]);
  assert.equal(rig.outbox.counts.of('dropped'), 5);
});

databaseTest('of what is over the last 100 are kept', async (t, database) => {
  const rig = await WebhookRig.create(t, database);
  const receiver = await WebhookReceiver.start(t);
  const uuid = await rig.add(receiver.url());
  for (let event = 0; event < 105; event += 1) await rig.put({ at: START - 200 + event });
  await eventually('all are delivered', async () => {
    await rig.deliver();
    return receiver.received.length === 105;
  });
  assert.equal((await rig.webhooks.deliveries('acme', uuid, 600)).length, 100);
});

databaseTest('a secret that cannot be opened fails and says so, and stops nobody else', async (t, database) => {
  const rig = await WebhookRig.create(t, database);
  const receiver = await WebhookReceiver.start(t);
  const uuid = await rig.add(receiver.url());
  await rig.put();
  await rig.deliver(rig.replica('replica-2', { masterKey: randomBytes(32) }));
  assert.equal((await rig.only(uuid)).error, 'its secret cannot be decrypted: remove the webhook and add it again');
  assert.equal(receiver.received.length, 0);
});

async function states(rig: WebhookRig, webhook: string): Promise<string[]> {
  const deliveries = await rig.webhooks.deliveries('acme', webhook, 600);
  return deliveries.map(({ state, attempts, status }) => `${state} ${attempts} ${status}`);
}
