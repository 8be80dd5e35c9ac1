import assert from 'node:assert/strict';
import { rootCertificates } from 'node:tls';
import { onBothDatabases } from '@sallyport/dev-env';
import { AccountStore } from '../accounts/account-store.ts';
import { LocalBus } from '../bus/local-bus.ts';
import { type Database, openDatabase } from '../database/open-database.ts';
import { createLogger } from '../http/logger.ts';
import { EndpointWriter } from './endpoint-writer.ts';
import { RevertStore } from './revert-store.ts';

const storeTest = onBothDatabases(openDatabase);
const START = Date.UTC(2026, 0, 1);
const [caCertificates = ''] = rootCertificates;

async function pending({ database }: Database) {
  const clock = { at: START, now: () => new Date(clock.at) };
  const nothing = async () => undefined;
  const parts = { database, clock, settle: nothing, onChange: nothing, urlOf: (fqdn: string) => `https://${fqdn}` };
  const replica = () => new EndpointWriter({ ...parts, bus: new LocalBus(database, createLogger('silent')) });
  await new AccountStore(database).insert({
    ...{ identifier: 'acme', name: 'acme', status: 'ACTIVE', mtlsEnabled: true, createdAt: START },
  });
  await replica().create('acme', { fqdn: 'acme.example.test', mode: 'LOOSE', caCertificates }, 'somebody');
  const safety = { onlyIfReady: null, revertAfterMs: 60_000 };
  const { endpoint } = await replica().change('acme', 'somebody', () => ({ mode: 'STRICT' }), safety);
  const [revert] = await new RevertStore(database).due(START + 60_000, 10);
  assert.ok(revert);
  return { clock, replica, endpoint, revert };
}

storeTest('of all who take one change back at once, one does', async (_t, database) => {
  const { clock, replica, revert } = await pending(database);
  assert.equal(await replica().revert(revert), false, 'not before its time');
  clock.at = revert.revertAt;
  const outcomes = await Promise.all([1, 2, 3, 4].map(() => replica().revert(revert)));
  assert.deepEqual(outcomes.toSorted(), [false, false, false, true]);
});

storeTest('of a confirmation and the taking back at once, one wins and the other is told', async (_t, database) => {
  for (const order of ['confirm first', 'revert first']) {
    const { clock, replica, revert, endpoint } = await pending(database);
    clock.at = revert.revertAt;
    const confirm = () =>
      replica()
        .confirm('acme', 'somebody')
        .then(
          () => true,
          () => false,
        );
    const take = () => replica().revert(revert);
    const both = order === 'confirm first' ? [confirm(), take()] : [take(), confirm()];
    assert.deepEqual((await Promise.all(both)).toSorted(), [false, true], order);
    assert.equal(await new RevertStore(database.database).ofEndpoint(endpoint.uuid), null);
    await new AccountStore(database.database).delete('acme');
  }
});
