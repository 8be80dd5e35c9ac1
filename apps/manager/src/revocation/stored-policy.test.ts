import assert from 'node:assert/strict';
import { onBothDatabases } from '@sallyport/dev-env';
import { RevokedSerials } from '@sallyport/trust';
import { AuditStore } from '../audit/audit-store.ts';
import { type Database, openDatabase } from '../database/open-database.ts';
import { createLogger } from '../http/logger.ts';
import { CrlAgeing, type CrlNotice } from './crl-ageing.ts';
import { nextNoticeAt } from './crl-notices.ts';
import { CrlParts } from './crl-parts.ts';
import { CrlStore, type StoredCrl } from './crl-store.ts';
import { PolicySource } from './policy-source.ts';

const storeTest = onBothDatabases(openDatabase);
const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);

const list: StoredCrl = {
  ...{ accountId: 'acme', issuerKey: 'k', issuer: 'CN=CA', issuerKeyId: null, authority: 'a', number: '1' },
  ...{ thisUpdate: new Date(START), nextUpdate: new Date(START + 100 * HOUR), namesDistributionPoint: false },
  ...{ entries: 1, serialsBytes: 6, digest: 'd1', uploadedAt: START, uploadedBy: 'test' },
};
/** One serial number of one byte. */
const serials = (serial: number) => Uint8Array.of(1, 0, 0, 0, 1, serial);

async function withAccount({ database }: Database): Promise<void> {
  await database.insertInto('accounts').values({ id: 'acme', name: 'acme', mtls_enabled: 1, created_at: 1 }).execute();
}

async function put({ database }: Database, crl: StoredCrl, bytes: Uint8Array): Promise<void> {
  await new CrlParts(database).write(crl.accountId, crl.digest, bytes, START);
  await new CrlStore(database).put(crl, nextNoticeAt(crl, null));
}

storeTest(
  'the age of a list is told at 50, 80 and 95 % of its life, once, whichever replica looks',
  async (t, opened) => {
    await withAccount(opened);
    const clock = { at: START, now: () => new Date(clock.at) };
    const notices: CrlNotice[] = [];
    const replica = () => {
      const ageing = new CrlAgeing({
        database: opened.database,
        clock,
        logger: createLogger('silent'),
        onNotice: async (_transaction, notice) => void notices.push(notice),
      });
      t.after(() => ageing.stop());
      return ageing;
    };
    const replicas = [replica(), replica()];
    const told = async (hours: number) => {
      clock.at = START + hours * HOUR;
      await Promise.all(replicas.map((one) => one.look()));
      return notices.splice(0).map(({ accountId, issuer, lifePassed }) => `${accountId} ${issuer} ${lifePassed}`);
    };
    await put(opened, list, serials(1));
    assert.deepEqual(await told(49.9), []);
    assert.deepEqual(await told(50), ['acme CN=CA 50']);
    assert.deepEqual(await told(79), []);
    assert.deepEqual(await told(81), ['acme CN=CA 80']);
    // The next list starts anew; one that comes late is told of as old as it is.
    const next = {
      ...list,
      digest: 'd2',
      number: '2',
      thisUpdate: new Date(START + 85 * HOUR),
      nextUpdate: new Date(START + 185 * HOUR),
    };
    await put(opened, next, serials(1));
    assert.deepEqual(await told(96), []);
    assert.deepEqual(await told(184), ['acme CN=CA 95']);
    assert.deepEqual(await told(1_000), []);
    const events = await new AuditStore(opened.database).list({ accountId: 'acme', since: 0, limit: 10 });
    assert.deepEqual(events.map(({ action, actor, details }) => [action, actor, details['lifePassed']]).reverse(), [
      ['crl.ageing', 'system', 50],
      ['crl.ageing', 'system', 80],
      ['crl.ageing', 'system', 95],
    ]);
  },
);

storeTest('a policy is read whole, and again when a list is replaced while it is being read', async (_t, opened) => {
  await withAccount(opened);
  const { database } = opened;
  const source = new PolicySource(database);
  await put(opened, list, serials(1));
  const has = async (serial: string) => (await source.policyOf('acme')).clients.lists.get('k')?.serials.has(serial);
  assert.equal(await has('01'), true);
  // Kept by its digest: what is in the database under it is not read again.
  await database
    .updateTable('crl_parts')
    .set({ bytes: serials(9) })
    .execute();
  assert.equal(await has('01'), true);
  await put(opened, { ...list, digest: 'd2' }, serials(2));
  assert.deepEqual([await has('01'), await has('02')], [false, true]);

  // As uploads do it, while another replica, which keeps nothing, reads.
  let last: StoredCrl = { ...list, digest: 'd2' };
  for (let round = 0; round < 30; round++) {
    const next = { ...list, digest: `r${round}` };
    const reading = [new PolicySource(database), new PolicySource(database)].map((reader) => reader.policyOf('acme'));
    await new CrlParts(database).write('acme', next.digest, serials(round), START);
    await database.transaction().execute(async (transaction) => {
      await new CrlStore(transaction).put(next, null);
      await new CrlParts(transaction).replace(next, last);
    });
    last = next;
    for (const policy of reading) assert.equal((await policy).clients.lists.size, 1);
  }
});

storeTest('a policy that cannot be read whole is no policy', async (_t, opened) => {
  await withAccount(opened);
  const { database } = opened;
  const policy = () => new PolicySource(database).policyOf('acme');
  await put(opened, { ...list, serialsBytes: 7 }, serials(1));
  await assert.rejects(policy(), /not there as a whole/);
  await put(opened, { ...list, entries: 2, digest: 'd2' }, serials(1));
  await assert.rejects(policy(), /is not complete/);
  await put(opened, { ...list, digest: 'd3' }, Uint8Array.of(9, 0, 0, 0, 1, 1));
  await assert.rejects(policy(), /serial numbers are damaged/);
  await database.deleteFrom('crls').execute();
  assert.equal((await policy()).clients.lists.size, 0);
  const at = { updated_at: 1, updated_by: 'test' };
  await database
    .insertInto('allowed_identities')
    .values({ account_id: 'acme', identities: '[{"type":"X"}]', ...at })
    .execute();
  await assert.rejects(policy());
  await database.deleteFrom('allowed_identities').execute();
  const pin = { delegate_name: 'd', fingerprints: '[]', created_at: 1, created_by: 'test' };
  await database
    .insertInto('delegate_pins')
    .values({ account_id: 'acme', ...pin })
    .execute();
  await assert.rejects(policy());
});

storeTest(
  'parts are let go of with the list that names them, and those that none names after an hour',
  async (_t, opened) => {
    await withAccount(opened);
    const { database } = opened;
    const parts = new CrlParts(database);
    const digests = async () =>
      (await database.selectFrom('crl_parts').select('digest').distinct().orderBy('digest').execute()).map(
        (row) => row.digest,
      );
    const large = Uint8Array.from({ length: 600_000 }, (_, index) => index % 251);
    await parts.write('acme', 'd1', large, START);
    assert.deepEqual(
      await parts.read({ ...list, serialsBytes: large.length }),
      Buffer.from(large),
      'three parts, in order',
    );
    assert.equal(await parts.read({ ...list, serialsBytes: large.length + 1 }), null);
    await new CrlStore(database).put({ ...list, serialsBytes: large.length }, null);
    await parts.write('acme', 'd2', serials(2), START);
    await parts.deleteForgotten(START + HOUR);
    assert.deepEqual(await digests(), ['d1', 'd2']);
    await parts.deleteForgotten(START + HOUR + 1);
    assert.deepEqual(await digests(), ['d1']);
    const next = { ...list, digest: 'd3' };
    await assert.rejects(parts.replace(next, list), { code: 'CONFLICT' });
    await parts.write('acme', 'd3', serials(3), START);
    await parts.replace(next, { ...list, serialsBytes: large.length });
    assert.deepEqual(await digests(), ['d3']);
    assert.equal(RevokedSerials.decode((await parts.read(next)) ?? new Uint8Array()).has('03'), true);
  },
);
