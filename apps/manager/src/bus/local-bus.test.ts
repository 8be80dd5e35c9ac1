import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onBothDatabases } from '@sallyport/dev-env';
import { pino } from 'pino';
import { openDatabase } from '../database/open-database.ts';
import type { Bus, BusEvent } from './bus.ts';
import { LocalBus } from './local-bus.ts';

const logger = pino({ level: 'silent' });
const ACME: BusEvent = { type: 'trust-changed', accountId: 'acme' };

const onBoth = onBothDatabases(openDatabase);

function addAccount(id: string): Parameters<Bus['commit']>[1] {
  return (transaction) =>
    transaction.insertInto('accounts').values({ id, name: id, mtls_enabled: 0, created_at: 1 }).execute();
}

onBoth('a change and its announcement are one: both, or neither', async (_t, opened) => {
  const bus = new LocalBus(opened.database, logger);
  const seen: string[] = [];
  bus.subscribe('trust-changed', async ({ accountId }) => {
    // Whoever hears of it reads the new state already.
    const row = await opened.database
      .selectFrom('accounts')
      .select('name')
      .where('id', '=', accountId)
      .executeTakeFirst();
    seen.push(`${accountId} ${row?.name}`);
  });
  await bus.commit(ACME, addAccount('acme'));
  assert.deepEqual(seen, ['acme acme'], 'every handler has finished');
  const failing = bus.commit({ type: 'trust-changed', accountId: 'beta' }, async (transaction) => {
    await addAccount('beta')(transaction);
    throw new Error('second thoughts');
  });
  await assert.rejects(failing, /second thoughts/);
  assert.deepEqual(seen, ['acme acme']);
  const rows = await opened.database.selectFrom('accounts').select('id').execute();
  assert.deepEqual(
    rows.map(({ id }) => id),
    ['acme'],
  );
  assert.equal(await bus.commit(ACME, async () => 42), 42);
});

test('handlers run in the order of subscription, one that fails does not stop the next, and unsubscribing ends it', async (t) => {
  const opened = await openDatabase({ file: ':memory:' });
  t.after(() => opened.close());
  const bus = new LocalBus(opened.database, logger);
  const order: string[] = [];
  bus.subscribe('trust-changed', async () => {
    await new Promise((resolve) => setImmediate(resolve));
    order.push('first');
  });
  const unsubscribe = bus.subscribe('trust-changed', () => {
    order.push('second');
    throw new Error('a handler with a bug');
  });
  bus.subscribe('trust-changed', () => void order.push('third'));
  bus.subscribe('tokens-changed', () => void order.push('of another kind'));
  await bus.commit(ACME, async () => undefined);
  assert.deepEqual(order.splice(0), ['first', 'second', 'third']);
  unsubscribe();
  await bus.commit(ACME, async () => undefined);
  assert.deepEqual(order, ['first', 'third']);
});
