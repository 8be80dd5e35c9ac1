import assert from 'node:assert/strict';
import { onBothDatabases } from '@sallyport/dev-env';
import { type Database, openDatabase } from '../database/open-database.ts';
import type { RefusalGroup } from './refusal-recorder.ts';
import { RefusalStore } from './refusal-store.ts';

const storeTest = onBothDatabases(openDatabase);

async function storeWith({ database }: Database, ...accountIds: string[]): Promise<RefusalStore> {
  for (const id of accountIds) {
    await database.insertInto('accounts').values({ id, name: id, mtls_enabled: 1, created_at: 1 }).execute();
  }
  return new RefusalStore(database);
}

const CERTIFICATE = {
  subject: 'CN=delegate',
  issuer: 'CN=Acme CA',
  serialNumber: '0A',
  fingerprint: 'ab'.repeat(32),
  notBefore: 1_000,
  notAfter: 2_000,
  names: ['delegate'],
};

function group(change: Partial<RefusalGroup> = {}): RefusalGroup {
  return {
    id: 'one',
    accountId: 'acme',
    reason: 'UNKNOWN_ISSUER',
    message: 'was issued by "CN=Stranger"',
    remedy: 'add it',
    serverName: 'acme.agent.localhost',
    remoteAddress: '192.0.2.1',
    certificate: null,
    firstSeen: 100,
    lastSeen: 200,
    count: 3,
    ...change,
  };
}

storeTest('a group comes back as it was recorded, certificate and all', async (_t, opened) => {
  const store = await storeWith(opened, 'acme');
  const recorded = [group(), group({ id: 'two', certificate: CERTIFICATE, lastSeen: 300, serverName: null })];
  await store.add(recorded);
  assert.deepEqual(await store.ofAccount('acme', 10), recorded.toReversed(), 'newest first');
  assert.equal((await store.ofAccount('acme', 1)).length, 1);
  assert.deepEqual(await store.ofAccount('beta', 10), []);
});

storeTest(
  'the same group again adds to its count, keeps its beginning and shows its last evidence',
  async (_t, opened) => {
    const store = await storeWith(opened, 'acme');
    await store.add([group()]);
    await store.add([
      group({ firstSeen: 900, lastSeen: 950, count: 4, remoteAddress: '192.0.2.2', certificate: CERTIFICATE }),
    ]);
    const [kept, ...more] = await store.ofAccount('acme', 10);
    assert.deepEqual(more, []);
    assert.deepEqual(kept, group({ lastSeen: 950, count: 7, remoteAddress: '192.0.2.2', certificate: CERTIFICATE }));
  },
);

storeTest('an account that is gone, or was made up, loses nothing but its own refusals', async (_t, opened) => {
  const store = await storeWith(opened, 'acme', 'beta');
  await store.add([
    group(),
    group({ id: 'two', accountId: 'invented' }),
    group({ id: 'three', accountId: null }),
    group({ id: 'four', accountId: 'beta' }),
  ]);
  assert.equal((await store.ofAccount('acme', 10)).length, 1);
  assert.equal((await store.ofAccount('invented', 10)).length, 0);
  await opened.database.deleteFrom('accounts').where('id', '=', 'beta').execute();
  assert.equal((await store.ofAccount('beta', 10)).length, 0);
  await store.add([group({ id: 'four', accountId: 'beta' })]);
  const left = await opened.database.selectFrom('refusals').select('id').orderBy('id').execute();
  assert.deepEqual(
    left.map(({ id }) => id),
    ['one', 'three'],
  );
});

storeTest(
  'an account keeps the 500 groups seen last, in a flood of one moment too, and no other account pays',
  async (_t, opened) => {
    const store = await storeWith(opened, 'acme', 'beta');
    await store.add([group({ id: 'theirs', accountId: 'beta', lastSeen: 1 })]);
    const flood = (from: number, lastSeen: (index: number) => number, accountId: string | null = 'acme') =>
      Array.from({ length: 300 }, (_, index) =>
        group({ id: `${accountId}-${String(from + index).padStart(5, '0')}`, lastSeen: lastSeen(index), accountId }),
      );
    await store.add(flood(0, () => 5_000));
    await store.add(flood(300, () => 5_000));
    assert.equal((await store.ofAccount('acme', 1_000)).length, 500, 'all of one millisecond');
    await store.add(flood(600, (index) => 6_000 + index));
    const kept = await store.ofAccount('acme', 1_000);
    assert.equal(kept.length, 500);
    assert.equal(kept[0]?.id, 'acme-00899');
    assert.equal(kept.filter(({ lastSeen }) => lastSeen >= 6_000).length, 300, 'the newest are among them');
    await store.add(flood(0, (index) => index, null));
    await store.add(flood(300, (index) => 1_000 + index, null));
    const without = await opened.database.selectFrom('refusals').select('id').where('account_id', 'is', null).execute();
    assert.equal(without.length, 500, 'those without an account together');
    assert.equal((await store.ofAccount('beta', 10)).length, 1);
  },
);

storeTest('several writers at once wait for nobody in a circle', async (_t, opened) => {
  const store = await storeWith(opened, 'acme');
  const ids = Array.from({ length: 60 }, (_, index) => `group-${index}`);
  const groups = ids.map((id) => group({ id, count: 1 }));
  await Promise.all(
    [groups, groups.toReversed(), groups.toSorted(() => Math.random() - 0.5), groups].map((some) => store.add(some)),
  );
  const kept = await store.ofAccount('acme', 100);
  assert.equal(kept.length, 60);
  assert.ok(kept.every(({ count }) => count === 4));
});
