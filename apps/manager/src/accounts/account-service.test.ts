import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onBothDatabases } from '@sallyport/dev-env';
import type { Account, DelegateTokenDetails } from '@sallyport/protocol';
import { managementApi, START } from '../../test/management-api.ts';
import type { BusEvent } from '../bus/bus.ts';
import { openDatabase } from '../database/open-database.ts';

const storeTest = onBothDatabases(openDatabase);
const accounts = '/ng/api/accounts';

storeTest('an account is created with its default delegate token and without mTLS', async (t, database) => {
  const { call, keys } = await managementApi(t, { database });
  const made = await call<Account>(keys.operator, 'POST', accounts, { identifier: 'acme', name: 'Acme Ltd' });
  const expected = { identifier: 'acme', name: 'Acme Ltd', status: 'ACTIVE', mtlsEnabled: false, createdAt: START };
  assert.deepEqual(made.resource, expected);
  assert.deepEqual((await call(keys.operator, 'GET', `${accounts}/acme`)).resource, expected);
  assert.deepEqual((await call(keys.operator, 'GET', accounts)).resource, [expected]);
  const tokens = await call<DelegateTokenDetails[]>(
    keys.operator,
    'GET',
    '/ng/api/delegate-token-ng?accountIdentifier=acme',
  );
  assert.deepEqual(
    tokens.resource.map(({ name, createdByNgUser, status }) => ({ name, createdByNgUser, status })),
    [{ name: 'default_token', createdByNgUser: null, status: 'ACTIVE' }],
  );

  const again = await call(keys.operator, 'POST', accounts, { identifier: 'acme' });
  assert.equal(again.status, 409);
  assert.equal(again.error.message, "Account 'acme' exists already.");
  assert.equal((await call<Account[]>(keys.operator, 'GET', accounts)).resource.length, 1);
});

storeTest('a deleted account takes everything with it, and is announced when it is gone', async (t, database) => {
  const api = await managementApi(t, { database });
  const { admin } = await api.account('acme');
  const other = await api.account('other');
  const heard: [BusEvent, number][] = [];
  api.bus.subscribe('trust-changed', async (event) => {
    const left = await database.database
      .selectFrom('delegate_tokens')
      .selectAll()
      .where('account_id', '=', 'acme')
      .execute();
    heard.push([event, left.length]);
  });
  assert.equal((await api.call(api.keys.operator, 'DELETE', `${accounts}/acme`)).resource, true);
  assert.deepEqual(heard, [[{ type: 'trust-changed', accountId: 'acme' }, 0]]);
  assert.equal((await api.call(admin, 'GET', `${accounts}/acme`)).error.code, 'INVALID_TOKEN');
  assert.deepEqual(await api.tokens.findForAuthentication('acme'), []);
  assert.equal((await api.call(other.admin, 'GET', `${accounts}/other`)).status, 200);
  assert.equal((await api.call(api.keys.operator, 'DELETE', `${accounts}/acme`)).error.code, 'ENTITY_NOT_FOUND');
});

storeTest('an operator renames an account and switches mTLS', async (t, database) => {
  const { call, keys, account } = await managementApi(t, { database });
  await account('acme', { mtlsEnabled: false });
  const patch = async (body: object) =>
    (await call<Account>(keys.operator, 'PATCH', `${accounts}/acme`, body)).resource;
  assert.equal((await patch({ mtlsEnabled: true })).mtlsEnabled, true);
  const renamed = await patch({ name: 'New' });
  assert.deepEqual([renamed.name, renamed.mtlsEnabled], ['New', true]);
  assert.equal((await patch({ mtlsEnabled: false })).mtlsEnabled, false);
});

test('identifiers and names that could not be stored or shown are refused', async (t) => {
  const { call, keys } = await managementApi(t);
  const cases = [{}, { identifier: '' }, { identifier: 'a b' }, { identifier: 'a.b' }, { identifier: 'x'.repeat(65) }];
  for (const body of [...cases, { identifier: 'ok', name: 'a\nb' }, { identifier: 'ok', mtlsEnabled: true }]) {
    assert.equal((await call(keys.operator, 'POST', accounts, body)).error.status, 'FAILURE', JSON.stringify(body));
  }
});

test('start scripts are told without a key whether the account is there', async (t) => {
  const { call, account } = await managementApi(t);
  await account('acme');
  const { status, body } = await call(null, 'GET', '/api/account/acme/status');
  assert.equal(status, 200);
  assert.deepEqual(body, { metaData: {}, resource: 'ACTIVE', responseMessages: [] });
  for (const id of ['nobody', 'a%00b', 'a%2Fb']) {
    const unknown = await call(null, 'GET', `/api/account/${id}/status`);
    assert.equal(unknown.status, 401, id);
    assert.equal(unknown.error.code, 'ACCOUNT_DOES_NOT_EXIST');
  }
});
