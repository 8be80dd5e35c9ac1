import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onBothDatabases } from '@sallyport/dev-env';
import type { ApiKey } from '@sallyport/protocol';
import { managementApi, START } from '../../test/management-api.ts';
import { systemClock } from '../clock.ts';
import { openDatabase } from '../database/open-database.ts';
import { ApiKeyService } from './api-key-service.ts';
import { parseApiKey } from './api-key-text.ts';

const storeTest = onBothDatabases(openDatabase);
const DAY = 86_400_000;

storeTest('a key is shown once, and stored as a hash of its secret', async (t, database) => {
  const { call, keys, account } = await managementApi(t, { database });
  await account('acme', { mtlsEnabled: false });
  const url = '/ng/api/api-keys?accountIdentifier=acme';
  const { resource: made } = await call<ApiKey>(keys.operator, 'POST', url, { name: 'ci', role: 'ACCOUNT_ADMIN' });
  assert.match(made.key ?? '', /^pat\.acme\.[0-9a-f-]{36}\.[A-Za-z0-9_-]{43}$/);
  assert.match(keys.operator, /^sat\.[a-z-]+\.[A-Za-z0-9_-]{43}$/);
  const { resource: listed, body } = await call<ApiKey[]>(keys.operator, 'GET', url);
  const { key, ...rest } = made;
  assert.deepEqual(
    listed.find(({ uuid }) => uuid === made.uuid),
    rest,
  );
  assert.doesNotMatch(JSON.stringify(body), /"key"/);

  const secret = parseApiKey(key ?? '')?.secret ?? '';
  const rows = await database.database.selectFrom('api_keys').selectAll().execute();
  assert.ok(!JSON.stringify(rows).includes(secret));
  const { resource: me } = await call<ApiKey>(key ?? '', 'GET', '/ng/api/api-keys/current');
  assert.deepEqual(me, rest);
});

storeTest('a revoked key is refused from then on, an expired one from its time', async (t, database) => {
  const { call, keys, clock } = await managementApi(t, { database });
  const request = { name: 'short', role: 'OPERATOR', expiresAt: START + DAY };
  const { resource: short } = await call<ApiKey>(keys.operator, 'POST', '/ng/api/api-keys', request);
  const current = () => call(short.key ?? '', 'GET', '/ng/api/api-keys/current');
  clock.at = START + DAY - 1;
  assert.equal((await current()).status, 200);
  clock.at = START + DAY;
  assert.equal((await current()).error.code, 'EXPIRED_TOKEN');
  const { resource: revoked } = await call<ApiKey>(keys.operator, 'DELETE', `/ng/api/api-keys/${short.uuid}`);
  assert.equal(revoked.status, 'REVOKED');
  const again = await current();
  assert.equal(again.status, 401);
  assert.equal(again.error.code, 'REVOKED_TOKEN');
  assert.equal(
    (await call<ApiKey>(keys.operator, 'DELETE', `/ng/api/api-keys/${short.uuid}`)).resource.status,
    'REVOKED',
  );
});

storeTest('replicas that start at once make one first operator key between them', async (_t, { database }) => {
  const replicas = [1, 2, 3].map(() => new ApiKeyService(database, systemClock));
  const made = await Promise.all(replicas.map((replica) => replica.ensureFirstOperatorKey()));
  const [key = '', ...more] = made.filter((text) => text !== null);
  assert.deepEqual(more, []);
  assert.equal((await replicas[2]?.authenticate(key))?.kind, 'operator');
});

test('the first operator key is made once and for all, revoked or not', async (t) => {
  const { apiKeys, keys, call } = await managementApi(t);
  await call(keys.operator, 'POST', '/ng/api/api-keys', { name: 'second', role: 'OPERATOR' });
  await call(keys.operator, 'DELETE', '/ng/api/api-keys/first-operator-key');
  assert.equal((await call(keys.operator, 'GET', '/ng/api/api-keys/current')).error.code, 'REVOKED_TOKEN');
  assert.equal(await apiKeys.ensureFirstOperatorKey(), null);
});

test('every way of being wrong gives a key the same answer', async (t) => {
  const { call, account, keys } = await managementApi(t);
  const { admin } = await account('acme');
  await account('other');
  const [, , id = '', secret = ''] = admin.split('.');
  const operatorSecret = keys.operator.split('.')[2];
  for (const wrong of [
    'x',
    '...',
    `pat.acme.${id}`,
    `pat.acme.${id}.${secret}.more`,
    `pat.acme.${id}.${secret.slice(0, -1)}`,
    `pat.acme.${id}.${secret.toUpperCase()}`,
    `pat.acme.nobody.${secret}`,
    `pat.other.${id}.${secret}`,
    `sat.acme.${id}.${secret}`,
    `sat.${id}.${secret}`,
    `pat.first-operator-key.${operatorSecret}`,
    `pat.acme.first-operator-key.${operatorSecret}`,
  ]) {
    const { status, error } = await call(wrong, 'GET', '/ng/api/api-keys/current');
    assert.equal(status, 401, wrong);
    assert.equal(error.code, 'INVALID_TOKEN', wrong);
    assert.equal(error.message, 'The API key is malformed or unknown.', wrong);
  }
  const { status, error } = await call(null, 'GET', '/ng/api/api-keys/current');
  assert.equal(status, 401);
  assert.equal(error.remedy, 'Send an API key in the header x-api-key.');
});

test('the last operator key that does not expire cannot be revoked', async (t) => {
  const { call, keys } = await managementApi(t);
  const expiring = { name: 'short', role: 'OPERATOR', expiresAt: START + DAY };
  await call(keys.operator, 'POST', '/ng/api/api-keys', expiring);
  const { status, error } = await call(keys.operator, 'DELETE', '/ng/api/api-keys/first-operator-key');
  assert.equal(status, 409);
  assert.match(error.remedy, /Create another operator key first/);
  assert.equal((await call(keys.operator, 'GET', '/ng/api/api-keys/current')).status, 200);
});

test('a key that could not work is not made', async (t) => {
  const { call, account, keys } = await managementApi(t);
  await account('acme');
  const make = async (url: string, body: object) => (await call(keys.operator, 'POST', url, body)).error;
  const inAccount = '/ng/api/api-keys?accountIdentifier=acme';
  assert.match((await make(inAccount, { name: 'x', role: 'OPERATOR' })).message, /leave accountIdentifier out/);
  assert.match(
    (await make('/ng/api/api-keys', { name: 'x', role: 'ACCOUNT_VIEWER' })).message,
    /belongs to an account/,
  );
  assert.match(
    (await make('/ng/api/api-keys', { name: 'x', role: 'OPERATOR', expiresAt: START })).message,
    /not in the future/,
  );
  assert.equal((await make('/ng/api/api-keys', { name: 'a\u0000b', role: 'OPERATOR' })).errors[0]?.fieldId, 'name');
  assert.equal((await make('/ng/api/api-keys', { name: 'x', role: 'ROOT' })).errors[0]?.fieldId, 'role');
});
