import assert from 'node:assert/strict';
import { onBothDatabases } from '@sallyport/dev-env';
import type { AuditEvent } from '@sallyport/protocol';
import { managementApi } from '../../test/management-api.ts';
import { openDatabase } from '../database/open-database.ts';

const storeTest = onBothDatabases(openDatabase);

storeTest('an account sees its own events, an operator all of them, newest first', async (t, database) => {
  const { call, account, keys, clock } = await managementApi(t, { database });
  const acme = await account('acme');
  clock.at += 1;
  await account('other');
  const audit = async (key: string, query = '') =>
    (await call<AuditEvent[]>(key, 'GET', `/ng/api/audit?${query}`)).resource.map(
      ({ action, accountIdentifier }) => `${accountIdentifier} ${action}`,
    );
  const mine = await audit(acme.admin, 'accountIdentifier=acme');
  assert.deepEqual(mine.sort(), [
    'acme account.created',
    'acme account.updated',
    'acme api-key.created',
    'acme api-key.created',
  ]);
  const all = await audit(keys.operator);
  assert.equal(all.length, 9);
  assert.ok(all.slice(0, 4).every((event) => event.startsWith('other ')));
});

storeTest('pages follow each other without a gap, also inside one millisecond', async (t, database) => {
  const { call, account, keys } = await managementApi(t, { database });
  await account('acme');
  const seen: string[] = [];
  for (;;) {
    const before = seen.length > 0 ? `&before=${seen.at(-1)}` : '';
    const page = await call<AuditEvent[]>(keys.operator, 'GET', `/ng/api/audit?limit=2${before}`);
    if (page.resource.length === 0) break;
    seen.push(...page.resource.map(({ uuid }) => uuid));
  }
  assert.equal(seen.length, 5);
  assert.equal(new Set(seen).size, 5);
});

storeTest('who gets an identifier again does not see what was done to its former owner', async (t, database) => {
  const { call, account, keys, clock } = await managementApi(t, { database });
  await account('acme');
  await call(keys.operator, 'DELETE', '/ng/api/accounts/acme');
  clock.at += 1;
  const { admin } = await account('acme', { mtlsEnabled: false });
  const actions = async (key: string) =>
    (await call<AuditEvent[]>(key, 'GET', '/ng/api/audit?accountIdentifier=acme')).resource.map(({ action }) => action);
  assert.deepEqual((await actions(admin)).sort(), ['account.created', 'api-key.created', 'api-key.created']);
  assert.ok((await actions(keys.operator)).includes('account.deleted'));
});
