import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import {
  createTestDatabase,
  DevManager,
  dropTestDatabase,
  eventually,
  TestAuthority,
  testPostgres,
} from '@sallyport/dev-env';
import type { WebhookDelivery } from '@sallyport/protocol';
import { Api, kill, startProcess } from './killable-manager.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

// What is put on record to be told is told: by the next process, or by one of several.

const databases: string[] = [];
after(async () => {
  for (const url of databases) await dropTestDatabase(url);
});
const postgresUrl = testPostgres();

async function onPostgres() {
  const url = await createTestDatabase(await postgresUrl());
  databases.push(url);
  return { SALLYPORT_DATABASE_URL: url, SALLYPORT_MASTER_KEY: randomBytes(32).toString('hex') };
}

const ACCOUNT = 'accountIdentifier=acme';
const PATH = '/ng/api/agent/mtls';

/** The clock of the next manager is ahead, so that nobody waits for the time of the next attempt, or of the one after it. */
const AHEAD_MS = 60_000;

/** A manager in a process of its own, with an endpoint and a webhook; `again` kills it and starts the next one in this process. */
async function killable(t: TestContext, settings: Readonly<Record<string, string>>, receiver: WebhookReceiver) {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'sallyport-webhooks-'));
  const environment = { SALLYPORT_WEBHOOK_LOOPBACK_HTTP: 'allow', ...settings };
  const first = await startProcess({
    SALLYPORT_DATA_DIR: dataDirectory,
    SALLYPORT_PUBLIC_LISTEN: '127.0.0.1:0',
    SALLYPORT_MTLS_LISTEN: '127.0.0.1:0',
    ...environment,
  });
  const key = first.firstOperatorKey ?? '';
  const firstApi = await Api.open(first.public, key);
  let next: DevManager | null = null;
  t.after(async () => {
    firstApi.close();
    await kill(first);
    await next?.stop();
    rmSync(dataDirectory, { recursive: true, force: true });
  });
  const must = (method: string, path: string, body?: unknown) =>
    next === null ? firstApi.must(method, path, body) : next.must(method, path, body, key);
  await must('POST', '/ng/api/accounts', { identifier: 'acme' });
  await must('PATCH', '/ng/api/accounts/acme', { mtlsEnabled: true });
  const { certificatePem: caCertificates } = await TestAuthority.create('CA');
  await must('POST', `${PATH}/endpoint?${ACCOUNT}`, { domainPrefix: 'acme', caCertificates, mode: 'LOOSE' });
  const webhook = String((await must('POST', `${PATH}/webhooks?${ACCOUNT}`, { url: receiver.url() }))['uuid']);
  return {
    setMode: (mode: string) => must('PATCH', `${PATH}/endpoint?${ACCOUNT}`, { mode }),
    deliveries: async () =>
      (await must('GET', `${PATH}/webhooks/${webhook}/deliveries?${ACCOUNT}`)) as unknown as WebhookDelivery[],
    again: async () => {
      await kill(first);
      const clock = { now: () => new Date(Date.now() + AHEAD_MS) };
      next = await DevManager.start({ dataDirectory, environment, clock });
    },
  };
}

for (const [store, settings] of Object.entries({ SQLite: async () => ({}), PostgreSQL: onPostgres })) {
  test(`kill -9 between a change and its delivery loses no event (${store})`, async (t) => {
    const receiver = await WebhookReceiver.start(t);
    await receiver.stop();
    const manager = await killable(t, await settings(), receiver);
    await manager.setMode('STRICT');
    const [queued] = await manager.deliveries();
    // Between two attempts: one that is cut short on PostgreSQL is made again only when the dead process's claim has run out.
    await eventually('the first attempt has failed', async () => (await manager.deliveries())[0]?.error != null);
    // Seconds are left until the next attempt; one that came before the receiver is back would put it off by half a minute.
    await receiver.resume();
    await manager.again();
    const told = await receiver.next('endpoint.changed');
    assert.equal(told.id, queued?.id);
    await eventually('the outcome', async () => (await manager.deliveries())[0]?.state === 'DELIVERED');
    assert.equal(receiver.received.length, 1);
  });
}

test('kill -9 in the middle of an attempt: the next process makes another one, with the same id', async (t) => {
  const receiver = await WebhookReceiver.start(t);
  receiver.answer = () => undefined;
  const manager = await killable(t, {}, receiver);
  await manager.setMode('STRICT');
  const first = await receiver.next('endpoint.changed');
  receiver.answer = (response) => void response.end();
  await manager.again();
  const second = await receiver.next('endpoint.changed', 2);
  assert.equal(second.id, first.id);
  assert.equal(second.body, first.body);
});

test('two managers on one database deliver each event once', async (t) => {
  const environment = { ...(await onPostgres()), SALLYPORT_WEBHOOK_LOOPBACK_HTTP: 'allow' };
  const managers = [await DevManager.start({ environment }), await DevManager.start({ environment })] as const;
  t.after(() => Promise.all(managers.map((manager) => manager.stop())));
  const [here, there] = managers;
  there.operatorKey = here.operatorKey;
  const ca = await TestAuthority.create('CA');
  await here.account('acme', { caCertificates: ca.certificatePem, mode: 'LOOSE' });
  const receiver = await WebhookReceiver.start(t);
  await here.must('POST', `${PATH}/webhooks?${ACCOUNT}`, { url: receiver.url() });
  await here.must('POST', `${PATH}/webhooks?${ACCOUNT}`, { url: receiver.url('127.0.0.1', '/other') });
  const stranger = await (await TestAuthority.create('Other')).client('stranger');
  for (const manager of managers) await manager.request(`${manager.mtlsUrl('acme')}/`, { certificate: stranger });
  for (let change = 0; change < 12; change += 1) {
    await managers[change % 2 === 0 ? 0 : 1].setMode('acme', change % 2 === 0 ? 'STRICT' : 'LOOSE');
  }
  await eventually('all are told', () => receiver.of('endpoint.changed').length >= 24);
  await receiver.next('refusal.new', 2);
  const ids = receiver.received.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, 'none of them twice');
  assert.equal(receiver.of('refusal.new').length, 2, 'the refusals at both are one event for each webhook');
});
