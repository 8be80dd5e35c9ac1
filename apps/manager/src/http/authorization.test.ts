import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiKey } from '@sallyport/protocol';
import { managementApi } from '../../test/management-api.ts';

test('an account is named by header, query or path, and a request that names two is refused', async (t) => {
  const { call, account } = await managementApi(t);
  const mine = await account('mine');
  await account('yours');
  const tokens = '/ng/api/delegate-token-ng';
  assert.equal((await call(mine.admin, 'GET', `${tokens}?accountIdentifier=mine`)).status, 200);
  assert.equal((await call(mine.admin, 'GET', `${tokens}?account=mine`)).status, 200);
  assert.equal((await call(mine.admin, 'GET', tokens, undefined, { 'Harness-Account': 'mine' })).status, 200);
  assert.equal((await call(mine.admin, 'GET', `${tokens}?accountIdentifier=mine&account=mine`)).status, 200);

  const none = await call(mine.admin, 'GET', tokens);
  assert.equal(none.status, 400);
  assert.equal(none.error.message, 'Account detail is not present in the request');

  const header = { 'harness-account': 'mine' };
  for (const [url, headers] of [
    [`${tokens}?accountIdentifier=yours`, header],
    [`${tokens}?account=mine&accountIdentifier=yours`, {}],
    [`${tokens}?accountIdentifier=mine&accountIdentifier=yours`, {}],
    ['/ng/api/accounts/yours?accountIdentifier=mine', {}],
    ['/ng/api/accounts/yours', header],
  ] as const) {
    const { status, error } = await call(mine.admin, 'GET', url, undefined, headers);
    assert.equal(status, 400, url);
    assert.match(error.message, /more than one account/);
  }
});

test('another account is refused in the same words whether it exists or not', async (t) => {
  const { call, account, keys } = await managementApi(t);
  const mine = await account('mine');
  await account('yours');
  const errors = await Promise.all(
    ['yours', 'nobody'].map(async (id) => (await call(mine.admin, 'GET', `/ng/api/accounts/${id}`)).error),
  );
  assert.deepEqual(
    errors.map(({ code, message }) => [code, message.replace(/'\w+'/, '')]),
    [0, 1].map(() => ['ACCESS_DENIED', 'The API key "ACCOUNT_ADMIN" belongs to another account than .']),
  );
  assert.equal((await call(keys.operator, 'GET', '/ng/api/accounts/nobody')).error.code, 'ENTITY_NOT_FOUND');
  assert.equal((await call(mine.admin, 'GET', '/ng/api/accounts/a%00b')).error.code, 'INVALID_REQUEST');
});

test('a viewer who writes to an mTLS endpoint is told NG_ACCESS_DENIED', async (t) => {
  const { call, account } = await managementApi(t);
  const { viewer } = await account('acme');
  const other = await account('other');
  for (const key of [viewer, other.admin]) {
    const { status, error, headers } = await call(
      key,
      'POST',
      '/ng/api/agent/mtls/endpoint?accountIdentifier=acme',
      {},
    );
    assert.equal(status, 403);
    assert.equal(error.code, 'NG_ACCESS_DENIED');
    assert.equal(headers['x-harness-error'], 'NG_ACCESS_DENIED');
  }
});

test('keys and events of operators are out of reach for the keys of an account', async (t) => {
  const { call, account, keys } = await managementApi(t);
  const { admin } = await account('acme');
  const made = await call<ApiKey>(keys.operator, 'POST', '/ng/api/api-keys', { name: 'second', role: 'OPERATOR' });
  for (const [method, url, body] of [
    ['GET', '/ng/api/api-keys'],
    ['POST', '/ng/api/api-keys', { name: 'mine', role: 'OPERATOR' }],
    ['DELETE', `/ng/api/api-keys/${made.resource.uuid}`],
    ['GET', '/ng/api/audit'],
  ] as const) {
    assert.equal((await call(admin, method, url, body)).error.code, 'ACCESS_DENIED', url);
  }
  const inAccount = (url: string) => `${url}?accountIdentifier=acme`;
  assert.equal(
    (await call(admin, 'DELETE', inAccount(`/ng/api/api-keys/${made.resource.uuid}`))).error.code,
    'ENTITY_NOT_FOUND',
  );
  assert.equal(
    (await call(admin, 'POST', inAccount('/ng/api/api-keys'), { name: 'x', role: 'OPERATOR' })).error.code,
    'INVALID_REQUEST',
  );
});

test('a stranger cannot make us read a body', async (t) => {
  const { app } = await managementApi(t);
  const headers = { 'content-type': 'application/json' };
  const payload = 'this is not JSON';
  const response = await app.inject({ method: 'POST', url: '/ng/api/accounts', headers, payload });
  assert.equal(response.statusCode, 401);
});
