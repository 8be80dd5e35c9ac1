import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onBothDatabases } from '@sallyport/dev-env';
import { certificateOf, onMtls, PLAIN, PresenceRig } from '../../test/presence-rig.ts';
import { START, WebhookRig } from '../../test/webhook-rig.ts';
import { type Database, openDatabase } from '../database/open-database.ts';
import { createLogger } from '../http/logger.ts';
import { BUNDLE_MS } from '../webhooks/teller.ts';
import { CertificateFigures } from './certificate-figures.ts';
import { CertificateService } from './certificate-service.ts';
import { CertificateStore } from './certificate-store.ts';
import { daysLeft, firstNoticeAt, nextNoticeAt, noticeReached } from './expiry-notices.ts';

const databaseTest = onBothDatabases(openDatabase);
const DAY = 86_400_000;

interface Expiring {
  readonly certificates: { fingerprint: string; notice: number; daysLeft: number; delegates: string[] }[];
  readonly more: number;
}

/** An account with a webhook, its delegates, and what both replicas tell when they look at a day. */
async function listening(t: Parameters<typeof WebhookRig.create>[0], database: Database) {
  const rig = await WebhookRig.create(t, database);
  await rig.add('http://127.0.0.1:9/');
  const tellers = [rig.teller(), rig.teller()];
  const told = async (day: number) => {
    rig.clock.at = START + day * DAY;
    await Promise.all(tellers.map((teller) => teller.look()));
    const events = await rig.queued<Expiring>('certificate.expiring');
    assert.ok(events.length <= 1, 'one event for all');
    return (events[0]?.certificates ?? []).map(
      (each) => `${each.fingerprint} ${each.notice} ${each.daysLeft} ${each.delegates.join('+')}`,
    );
  };
  const settle = async () => undefined;
  const list = new CertificateService({ database: database.database, clock: rig.clock, settle });
  return { rig, told, list, fleet: new PresenceRig(database, rig.clock) };
}

test('notices are due 30, 14, 7 and 1 days before the end, and at once for one that is close already', () => {
  const life = { notBefore: 0, notAfter: 90 * DAY };
  assert.equal(firstNoticeAt(life, 0), 60 * DAY);
  assert.deepEqual(
    [59, 60, 75, 76, 82, 83, 88, 89, 91].map((day) => noticeReached(life, day * DAY)),
    [null, 30, 30, 14, 14, 7, 7, 1, 1],
  );
  assert.deepEqual(
    [null, 30, 14, 7, 1].map((reached) => nextNoticeAt(life, reached)),
    [60 * DAY, 76 * DAY, 83 * DAY, 89 * DAY, null],
  );
  assert.equal(firstNoticeAt(life, 80 * DAY), 80 * DAY);
  assert.equal(firstNoticeAt({ notBefore: 0, notAfter: DAY - 1 }, 0), null, 'it lives for hours only');
  assert.deepEqual([daysLeft(life, 0), daysLeft(life, 90 * DAY - 1), daysLeft(life, 92 * DAY)], [90, 0, 0]);
});

databaseTest(
  'each threshold is told once, by one replica, while a delegate comes with the certificate',
  async (t, database) => {
    const { told, fleet } = await listening(t, database);
    await fleet.come('d1', onMtls(certificateOf('f1', START + 60 * DAY)));
    await fleet.come('d2', onMtls(certificateOf('f1', START + 60 * DAY)));
    await fleet.come('d3', onMtls(certificateOf('f3', START + 61 * DAY)));
    assert.deepEqual(await told(29), []);
    assert.deepEqual(await told(30), ['f1 30 30 d1+d2']);
    assert.deepEqual(await told(30.5), []);
    assert.deepEqual(await told(31), ['f3 30 30 d3']);
    assert.deepEqual(await told(47), ['f1 14 13 d1+d2', 'f3 14 14 d3'], 'two at once are one event');
    await fleet.come('d3', onMtls(certificateOf('f3-next', START + 150 * DAY)));
    assert.deepEqual(await told(59.5), ['f1 1 0 d1+d2'], 'of what was missed the nearest, and f3 was renewed');
    await fleet.leave('d1');
    assert.deepEqual(await told(70), [], 'nothing after the last');
  },
);

databaseTest('one that has ended is not told as one that will', async (t, database) => {
  const { rig, told, fleet } = await listening(t, database);
  await fleet.come('d1', onMtls(certificateOf('f1', START + 20 * DAY)));
  await fleet.come('d2', onMtls(certificateOf('f2', START + 22.5 * DAY)));
  assert.deepEqual(await told(22), ['f2 1 0 d2']);
  rig.clock.at += BUNDLE_MS;
  assert.deepEqual(await told(24), []);
});

databaseTest(
  'one that is close to its end when it is first seen is told at once, and reconnecting repeats nothing',
  async (t, database) => {
    const { rig, told, fleet } = await listening(t, database);
    const via = onMtls(certificateOf('f1', START + 10.5 * DAY));
    await fleet.come('d1', via);
    assert.deepEqual(await told(0), ['f1 14 10 d1']);
    await fleet.leave('d1');
    await fleet.come('d1', via);
    rig.clock.at += BUNDLE_MS;
    assert.deepEqual(await told(1), []);
    assert.deepEqual(await told(4), ['f1 7 6 d1']);
  },
);

databaseTest('the list has every leaf by days left, who comes with it, and since when', async (t, database) => {
  const { rig, list, fleet } = await listening(t, database);
  const certificates = async () => (await list.list('acme', 100, null)).certificates;
  await fleet.come('d1', onMtls(certificateOf('late', START + 80 * DAY)));
  await fleet.come('d2', onMtls(certificateOf('soon', START + 20 * DAY), null));
  await fleet.come('d3', onMtls(certificateOf('late', START + 80 * DAY)));
  await fleet.come('d4', PLAIN);
  await fleet.leave('d3');
  rig.clock.at += DAY;
  assert.deepEqual(
    (await certificates()).map(({ fingerprint, daysLeft: days, delegates, firstSeen, lastSeen, authority }) => ({
      ...{ fingerprint, days, firstSeen, lastSeen, authority },
      delegates: delegates.map(({ name, connected }) => `${name} ${connected}`),
    })),
    [
      {
        ...{ fingerprint: 'soon', days: 19, firstSeen: START, lastSeen: START + DAY, authority: null },
        delegates: ['d2 true'],
      },
      {
        ...{ fingerprint: 'late', days: 79, firstSeen: START, lastSeen: START + DAY },
        ...{ authority: { fingerprint: 'ca1', subject: null }, delegates: ['d1 true', 'd3 false'] },
      },
    ],
  );
  assert.deepEqual(
    (await list.list('acme', 100, 30)).certificates.map(({ fingerprint }) => fingerprint),
    ['soon'],
  );
  assert.deepEqual(
    [(await list.list('acme', 1, null)).certificates.length, (await list.list('acme', 1, null)).total],
    [1, 2],
  );
  assert.equal((await list.list('other', 100, null)).total, 0);
});

databaseTest(
  'a leaf that nobody comes with any more leaves the list after 30 days, one in use stays',
  async (t, database) => {
    const { rig, list, fleet } = await listening(t, database);
    const store = new CertificateStore(database.database);
    const shown = async (day: number) => {
      rig.clock.at = START + day * DAY;
      await store.forgetUnused(rig.clock.at);
      return (await list.list('acme', 100, null)).certificates.map(({ fingerprint }) => fingerprint);
    };
    await fleet.come('d1', onMtls(certificateOf('kept', START + 300 * DAY)));
    await fleet.come('d2', onMtls(certificateOf('old', START + 100 * DAY)));
    await fleet.come('d3', onMtls(certificateOf('brief', START + 2 * DAY)));
    await fleet.come('d2', onMtls(certificateOf('new', START + 200 * DAY)));
    await fleet.come('d3', onMtls(certificateOf('next', START + 400 * DAY)));
    assert.deepEqual(await shown(1), ['brief', 'old', 'new', 'kept', 'next']);
    assert.deepEqual(await shown(3), ['old', 'new', 'kept', 'next'], 'expired, and nobody’s');
    assert.deepEqual(await shown(29), ['old', 'new', 'kept', 'next']);
    assert.deepEqual(await shown(31), ['new', 'kept', 'next']);
    assert.deepEqual((await store.ofAccount('acme')).length, 3, 'it is forgotten, not only hidden');
  },
);

databaseTest('a heartbeat writes nothing', async (t, database) => {
  const { rig, fleet } = await listening(t, database);
  const via = onMtls(certificateOf('f1', START + 80 * DAY));
  await fleet.come('d1', via);
  const before = await database.database.selectFrom('client_certificates').selectAll().execute();
  for (let beat = 0; beat < 10; beat += 1) {
    rig.clock.at += 60_000;
    fleet.heartbeat('d1', via);
    await fleet.flush();
  }
  assert.deepEqual(await database.database.selectFrom('client_certificates').selectAll().execute(), before);
});

databaseTest(
  'metrics count what is in use by time left, and name the endpoints that end first only',
  async (t, database) => {
    const { rig, fleet } = await listening(t, database);
    const endpoint = { mode: 'LOOSE' as const, revision: 1, created_at: START, updated_at: START, ca_certificates: '' };
    await database.database
      .insertInto('mtls_endpoints')
      .values({ uuid: 'e1', account_id: 'acme', fqdn: 'acme.agent.example', ...endpoint })
      .execute();
    const logger = createLogger('silent');
    const figures = (endpoints: number) =>
      new CertificateFigures({ database: database.database, clock: rig.clock, logger, endpoints }).read();
    await fleet.come('d1', onMtls(certificateOf('a', START + 0.5 * DAY)));
    await fleet.come('d2', onMtls(certificateOf('b', START + 14 * DAY)));
    await fleet.come('d3', onMtls(certificateOf('c', START + 80 * DAY)));
    await fleet.come('d4', onMtls(certificateOf('d', START + 3 * DAY)));
    await fleet.come('d4', onMtls(certificateOf('e', START + 90 * DAY)));
    const all = { '1d': 1, '14d': 1, more: 2 };
    assert.deepEqual(await figures(20), {
      all,
      endpoints: [{ fqdn: 'acme.agent.example', soonest: START + 0.5 * DAY, counts: all }],
    });
    assert.deepEqual(await figures(0), { all, endpoints: [] });
  },
);
