import assert from 'node:assert/strict';
import { onBothDatabases } from '@sallyport/dev-env';
import { certificateOf, onMtls, PLAIN, PresenceRig } from '../../test/presence-rig.ts';
import { isSigned, WebhookReceiver } from '../../test/webhook-receiver.ts';
import { ADMIN, START, WebhookRig } from '../../test/webhook-rig.ts';
import { type Database, openDatabase } from '../database/open-database.ts';
import { createLogger } from '../http/logger.ts';
import { RefusalRecorder } from '../refusals/refusal-recorder.ts';
import { RefusalStore } from '../refusals/refusal-store.ts';
import { CrlAgeing } from '../revocation/crl-ageing.ts';
import { nextNoticeAt } from '../revocation/crl-notices.ts';
import { CrlStore, type StoredCrl } from '../revocation/crl-store.ts';
import { crlAgeingNews, toOutbox } from './direct-news.ts';
import { BUNDLE_MS } from './teller.ts';

const databaseTest = onBothDatabases(openDatabase);
const DAY = 86_400_000;
const HOUR = 3_600_000;

interface Refusals {
  readonly refusals: { reason: string; remoteAddress: string }[];
  readonly more: number;
}
interface Downgrades {
  readonly delegates: { name: string; lastOnMtls: number | null; certificate: { fingerprint: string } | null }[];
  readonly more: number;
}

/** An account with a webhook that nobody answers, and what is told to it when both replicas look. */
async function listening(t: Parameters<typeof WebhookRig.create>[0], database: Database) {
  const rig = await WebhookRig.create(t, database, ['acme', 'quiet']);
  const webhook = await rig.add('http://127.0.0.1:9/');
  const tellers = [rig.teller(), rig.teller()];
  const look = () => Promise.all(tellers.map((teller) => teller.look()));
  return { rig, webhook, look };
}

databaseTest(
  'a new cause or client is told at once, what follows within a minute in one event',
  async (t, database) => {
    const { rig, look } = await listening(t, database);
    const recorder = new RefusalRecorder(new RefusalStore(database.database), rig.clock, createLogger('silent'));
    const refuse = (remoteAddress: string, accountId = 'acme') =>
      recorder.record({
        ...{ accountId, reason: 'UNKNOWN_ISSUER', message: 'm', remedy: 'r', serverName: null },
        ...{ remoteAddress, certificate: null },
      });
    const told = async () => {
      await recorder.flush();
      await look();
      return (await rig.queued<Refusals>('refusal.new')).map(({ refusals, more }) => [refusals.length, more]);
    };
    refuse('192.0.2.1');
    refuse('192.0.2.1');
    refuse('192.0.2.9', 'quiet');
    assert.deepEqual(await told(), [[1, 0]]);
    refuse('192.0.2.1');
    rig.clock.at += BUNDLE_MS;
    assert.deepEqual(await told(), [], 'the same client for the same cause is no news');
    for (let client = 0; client < 180; client += 1) refuse(`198.51.100.${client}`);
    assert.deepEqual(await told(), [[20, 160]]);
    for (let flush = 0; flush < 5; flush += 1) {
      for (let client = 0; client < 180; client += 1) refuse(`203.0.${flush}.${client}`);
      assert.deepEqual(await told(), [], 'a flood makes no flood of events');
      rig.clock.at += 1_000;
    }
    const { waiting } = await database.database
      .selectFrom('refusal_news')
      .select((row) => row.fn.countAll<number>().as('waiting'))
      .executeTakeFirstOrThrow();
    assert.equal(Number(waiting), 500, 'and what waits is bounded');
    rig.clock.at += BUNDLE_MS;
    assert.deepEqual(await told(), [[20, 480]]);
  },
);

databaseTest('nothing is noted for an account that has no webhook for it', async (t, database) => {
  const rig = await WebhookRig.create(t, database);
  await rig.webhooks.create('acme', { url: 'http://127.0.0.1:9/', events: ['crl.ageing'] }, ADMIN);
  const recorder = new RefusalRecorder(new RefusalStore(database.database), rig.clock, createLogger('silent'));
  recorder.record({
    ...{ accountId: 'acme', reason: 'UNKNOWN_ISSUER', message: 'm', remedy: 'r', serverName: null },
    ...{ remoteAddress: '192.0.2.1', certificate: null },
  });
  await recorder.flush();
  const fleet = new PresenceRig(database, rig.clock);
  await fleet.come('d1', onMtls(certificateOf('f1', START + 40 * DAY)));
  await fleet.come('d1', PLAIN);
  for (const table of ['refusal_news', 'downgrades'] as const) {
    assert.deepEqual(await database.database.selectFrom(table).selectAll().execute(), [], table);
  }
});

databaseTest('a delegate that falls back to plain is told once, and again when it falls again', async (t, database) => {
  const { rig, look } = await listening(t, database);
  const fleet = new PresenceRig(database, rig.clock);
  const told = async () => {
    rig.clock.at += BUNDLE_MS;
    await look();
    return (await rig.queued<Downgrades>('delegate.downgraded')).flatMap(({ delegates }) => delegates);
  };
  const via = onMtls(certificateOf('f1', START + 40 * DAY));
  await fleet.come('d1', via);
  await fleet.come('d2', PLAIN);
  assert.deepEqual(await told(), [], 'one that was never on mTLS has not fallen');
  await fleet.come('d1', PLAIN);
  const [fall] = await told();
  assert.deepEqual([fall?.name, fall?.certificate?.fingerprint], ['d1', 'f1']);
  await fleet.leave('d1');
  rig.clock.at += HOUR;
  await fleet.come('d1', PLAIN);
  assert.deepEqual(await told(), [], 'it comes back as it went');
  await fleet.come('d1', via);
  assert.deepEqual(await told(), []);
  await fleet.come('d1', PLAIN);
  assert.equal((await told()).length, 1);
});

databaseTest('a new instance in plain is a downgrade once no other of its name is on mTLS', async (t, database) => {
  const { rig, look } = await listening(t, database);
  const fleet = new PresenceRig(database, rig.clock);
  const told = async () => {
    rig.clock.at += BUNDLE_MS;
    await look();
    return (await rig.queued<Downgrades>('delegate.downgraded')).flatMap(({ delegates }) => delegates);
  };
  const via = onMtls(certificateOf('f1', START + 40 * DAY));
  await fleet.come('old', via, 'edge');
  await fleet.come('new', PLAIN, 'edge');
  assert.deepEqual(await told(), [], 'a rolling update may be under way');
  await fleet.leave('old');
  assert.deepEqual(
    (await told()).map(({ name }) => name),
    ['edge'],
  );

  await fleet.come('killed', via, 'node', 'host-1');
  await fleet.come('restarted', PLAIN, 'node', 'host-1');
  const [restarted] = await told();
  assert.deepEqual([restarted?.name, restarted?.certificate?.fingerprint], ['node', 'f1'], 'the same host: no update');

  await fleet.come('two', via, 'core');
  await fleet.leave('two');
  await fleet.come('three', PLAIN, 'core');
  await fleet.leave('three');
  assert.deepEqual(await told(), [], 'it has gone again before anybody looked');
});

databaseTest('a CRL that ages is told at 50, 80 and 95 % of its life, to the receiver, signed', async (t, database) => {
  const rig = await WebhookRig.create(t, database);
  const receiver = await WebhookReceiver.start(t);
  const { secret } = await rig.webhooks.create('acme', { url: receiver.url() }, ADMIN);
  const ageing = new CrlAgeing({
    ...{ database: database.database, clock: rig.clock, logger: createLogger('silent') },
    onNotice: toOutbox(rig.outbox, crlAgeingNews),
  });
  t.after(() => ageing.stop());
  const crl: StoredCrl = {
    ...{ accountId: 'acme', issuerKey: 'k', issuer: 'CN=CA', issuerKeyId: null, authority: 'a', number: '1' },
    ...{ thisUpdate: new Date(START), nextUpdate: new Date(START + 100 * HOUR), namesDistributionPoint: false },
    ...{ entries: 0, serialsBytes: 0, digest: 'd1', uploadedAt: START, uploadedBy: 'test' },
  };
  await new CrlStore(database.database).put(crl, nextNoticeAt(crl, null));
  const told: (readonly [number, unknown])[] = [];
  for (const hours of [49, 50, 79, 80, 95, 99]) {
    rig.clock.at = START + hours * HOUR;
    await Promise.all([ageing.look(), ageing.look()]);
    await rig.deliver();
    for (const event of receiver.received.splice(0)) {
      assert.ok(isSigned(event, secret ?? ''));
      assert.equal(event.payload.type, 'crl.ageing');
      assert.deepEqual([event.payload.data['issuer'], event.payload.data['nextUpdate']], ['CN=CA', START + 100 * HOUR]);
      told.push([hours, event.payload.data['lifePassed']]);
    }
  }
  assert.deepEqual(told, [
    [50, 50],
    [80, 80],
    [95, 95],
  ]);
});
