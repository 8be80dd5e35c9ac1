import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { onBothDatabases } from '@sallyport/dev-env';
import { type DelegateTokenDetails, normaliseDelegateToken } from '@sallyport/protocol';
import { type ManagementApiOptions, managementApi, START } from '../../test/management-api.ts';
import { openDatabase } from '../database/open-database.ts';
import type { DelegateGroupDetails } from './delegate-groups.ts';
import { SecretBox, SecretBoxError } from './secret-box.ts';
import { TokenService } from './token-service.ts';

const storeTest = onBothDatabases(openDatabase);
const DAY = 86_400_000;
type Token = DelegateTokenDetails;

/** The calls of a client such as Terraform's provider: no body, everything in the query. */
async function tokenClient(t: TestContext, options: ManagementApiOptions = {}) {
  const api = await managementApi(t, options);
  const { admin, viewer } = await api.account('acme', { mtlsEnabled: false });
  const call = <T = Token>(method: string, query = '', { key = admin, path = '' } = {}) =>
    api.call<T>(key, method, `/gateway/ng/api/delegate-token-ng${path}?accountIdentifier=acme${query}`);
  return { ...api, admin, viewer, request: call };
}

storeTest(
  'a token has its value on creation and for whoever may edit, never for viewers or when revoked',
  async (t, database) => {
    const { request, viewer, tokens } = await tokenClient(t, { database });
    const { status, headers, resource: made } = await request('POST', '&tokenName=ci');
    assert.equal(status, 200);
    assert.match(String(headers['content-type']), /application\/json/);
    assert.equal(headers['cache-control'], 'no-store');
    const { value = '', uuid, ...rest } = made;
    assert.deepEqual(rest, {
      accountId: 'acme',
      name: 'ci',
      createdByNgUser: { type: 'API_KEY', name: 'ACCOUNT_ADMIN', jwtclaims: {} },
      createdAt: START,
      status: 'ACTIVE',
    });
    const hex = Buffer.from(value, 'base64').toString();
    assert.match(hex, /^[0-9a-f]{32}$/);
    assert.equal(normaliseDelegateToken(value), hex);
    const authentication = (await tokens.findForAuthentication('acme')).find(({ id }) => id === uuid);
    assert.equal(authentication?.key.toString('hex'), hex);

    assert.deepEqual((await request<Token[]>('GET', '&name=ci&status=ACTIVE')).resource, [made]);
    const seen = (await request<Token[]>('GET', '&name=ci', { key: viewer })).resource;
    assert.deepEqual(seen, [{ ...rest, uuid }]);
    const revoked = await request('PUT', '&tokenName=ci');
    assert.deepEqual(revoked.resource, { ...rest, uuid, status: 'REVOKED' });
  },
);

storeTest('the secret is not in the database', async (t, database) => {
  const { request } = await tokenClient(t, { database });
  const { value = '' } = (await request('POST', '&tokenName=ci')).resource;
  const stored = JSON.stringify(await database.database.selectFrom('delegate_tokens').selectAll().execute());
  const hex = Buffer.from(value, 'base64').toString();
  for (const form of [value, hex, Buffer.from(hex, 'hex').toString('base64url')]) assert.ok(!stored.includes(form));
});

storeTest('a token that is copied into another account does not open there', async (t, database) => {
  const { account, tokens } = await tokenClient(t, { database });
  await account('victim', { mtlsEnabled: false });
  const mine = await database.database
    .selectFrom('delegate_tokens')
    .selectAll()
    .where('account_id', '=', 'acme')
    .executeTakeFirstOrThrow();
  await database.database
    .updateTable('delegate_tokens')
    .set({ secret_ciphertext: mine.secret_ciphertext })
    .where('account_id', '=', 'victim')
    .execute();
  await assert.rejects(tokens.findForAuthentication('victim'), SecretBoxError);
  assert.equal((await tokens.findForAuthentication('acme')).length, 1, 'the others are not disturbed');
});

storeTest('names are compared exactly, and lists filter by name and status', async (t, database) => {
  const { request, clock } = await tokenClient(t, { database });
  for (const name of ['ci', 'CI', 'ci2', 'default']) {
    clock.at += 1;
    await request('POST', `&tokenName=${name}`);
  }
  await request('PUT', '&tokenName=CI');
  const names = async (query: string) => (await request<Token[]>('GET', query)).resource.map(({ name }) => name);
  assert.deepEqual(await names(''), ['default_token', 'ci', 'CI', 'ci2', 'default']);
  assert.deepEqual(await names('&name=ci'), ['ci']);
  assert.deepEqual(await names('&status=REVOKED'), ['CI']);
  assert.deepEqual(await names('&name=CI&status=ACTIVE'), []);
  assert.deepEqual(await names('&name='), ['default_token', 'ci', 'CI', 'ci2', 'default']);
});

storeTest('revokeAfter counts from its very moment', async (t, database) => {
  const { request, clock, tokens } = await tokenClient(t, { database });
  const made = await request('POST', `&tokenName=short&revokeAfter=${START + 1000}`);
  assert.equal(made.resource.revokeAfter, START + 1000);
  const state = async () => {
    const listed = (await request<Token[]>('GET', '&name=short')).resource[0]?.status;
    const found = (await tokens.findForAuthentication('acme')).find(({ name }) => name === 'short');
    return [listed, found?.status, found?.revokeAfter];
  };
  clock.at = START + 999;
  assert.deepEqual(await state(), ['ACTIVE', 'ACTIVE', START + 1000]);
  clock.at = START + 1000;
  assert.deepEqual(await state(), ['REVOKED', 'REVOKED', START + 1000]);
  assert.equal((await request('PUT', '&tokenName=short')).error.message, 'Specified token is already revoked.');
});

storeTest('a revoked token keeps its name until it is deleted, or for 30 days', async (t, database) => {
  const { request, clock } = await tokenClient(t, { database });
  const create = () => request('POST', '&tokenName=tf1');
  await create();
  await request('PUT', '&tokenName=tf1');
  const taken = await create();
  assert.equal(taken.status, 400);
  assert.equal(taken.error.code, 'INVALID_REQUEST');
  assert.equal(taken.error.message, 'Token with given name tf1 already exists for given account.');
  const deleted = await request('DELETE', '&tokenName=tf1');
  assert.equal(deleted.status, 204);
  assert.equal(deleted.body, null);
  assert.equal((await create()).status, 200);

  await request('PUT', '&tokenName=tf1');
  clock.at += 30 * DAY;
  assert.equal((await create()).status, 400);
  clock.at += 1;
  assert.deepEqual((await request<Token[]>('GET', '&name=tf1')).resource, []);
  assert.equal((await create()).status, 200);
});

storeTest('organisations and projects have tokens of their own', async (t, database) => {
  const { request, tokens } = await tokenClient(t, { database });
  const made = await request('POST', '&orgIdentifier=o1&projectIdentifier=p1&tokenName=deep');
  assert.equal(made.resource.ownerIdentifier, 'o1/p1');
  const names = async (query: string) => (await request<Token[]>('GET', query)).resource.map(({ name }) => name);
  assert.deepEqual(await names('&orgIdentifier=o1&projectIdentifier=p1'), ['deep']);
  assert.deepEqual(await names('&orgIdentifier=o1'), []);
  assert.deepEqual(await names(''), ['default_token']);
  assert.equal((await request('PUT', '&tokenName=deep')).error.message, 'Specified token does not exist.');
  assert.match((await request('POST', '&projectIdentifier=p1&tokenName=x')).error.message, /needs orgIdentifier/);
  const forAuthentication = (await tokens.findForAuthentication('acme')).map(({ name }) => name);
  assert.deepEqual(forAuthentication.sort(), ['deep', 'default_token']);
});

storeTest(
  'the delegates that use a token are shown by name, connected while their replica lives',
  async (t, database) => {
    const { request, tokens, clock } = await tokenClient(t, { database });
    const [token] = await tokens.findForAuthentication('acme');
    await request('POST', '&tokenName=unused');
    await database.database
      .insertInto('replicas')
      .values([
        { id: 'alive', lease_until: clock.at + 1 },
        { id: 'dead', lease_until: clock.at },
      ])
      .execute();
    const row = {
      ...{
        account_id: 'acme',
        type: 'DOCKER',
        description: '',
        ip: '',
        version: '1',
        tags: '[]',
        supported_task_types: '[]',
      },
      ...{
        transport: null,
        certificate: null,
        token_id: token?.id ?? null,
        polling: 0 as const,
        disconnected_at: null,
      },
      ...{ registered_at: 1, last_seen: 5 },
    };
    await database.database
      .insertInto('delegates')
      .values([
        { ...row, id: 'd1', name: 'build', host_name: 'h1', replica_id: 'alive' },
        { ...row, id: 'd2', name: 'build', host_name: 'h2', replica_id: 'dead', last_seen: 9 },
        { ...row, id: 'd3', name: 'deploy', host_name: 'h3', replica_id: null },
      ])
      .execute();
    const groups = async (query: string) =>
      (await request<{ delegateGroupDetails: DelegateGroupDetails[] }>('GET', query, { path: '/delegate-groups' }))
        .resource.delegateGroupDetails;
    const all = await groups('');
    assert.deepEqual(
      all.map(({ groupName, activelyConnected, lastHeartBeat, delegateInstanceDetails }) => [
        groupName,
        activelyConnected,
        lastHeartBeat,
        delegateInstanceDetails.map((instance) => [instance.hostName, instance.activelyConnected]),
      ]),
      [
        [
          'build',
          true,
          9,
          [
            ['h1', true],
            ['h2', false],
          ],
        ],
        ['deploy', false, 5, [['h3', false]]],
      ],
    );
    assert.deepEqual(await groups('&delegateTokenName=default_token'), all);
    assert.deepEqual(await groups('&delegateTokenName=unused'), []);
    const unknown = await request('GET', '&delegateTokenName=nope', { path: '/delegate-groups' });
    assert.equal(unknown.error.message, 'Specified token does not exist.');
  },
);

storeTest('every change of tokens is announced when it is done, and a failed one is not', async (t, database) => {
  const { request, bus, tokens } = await tokenClient(t, { database });
  const heard: string[] = [];
  bus.subscribe('tokens-changed', async ({ accountId }) => {
    const [last] = (await tokens.findForAuthentication(accountId)).filter(({ name }) => name === 'ci');
    heard.push(`${accountId}: ${last?.status ?? 'gone'}`);
  });
  await request('POST', '&tokenName=ci');
  await request('POST', '&tokenName=ci');
  await request('PUT', '&tokenName=ci');
  await request('PUT', '&tokenName=ci');
  await request('DELETE', '&tokenName=ci');
  assert.deepEqual(heard, ['acme: ACTIVE', 'acme: REVOKED', 'acme: gone']);
});

test('the errors of the token calls are in the words that existing clients know', async (t) => {
  const { request } = await tokenClient(t);
  const cases: [string, string, string | RegExp][] = [
    ['POST', '&tokenName=default_token', 'Token with given name default_token already exists for given account.'],
    ['POST', `&tokenName=x&revokeAfter=${START - 1}`, 'Token revocation time can not be less than current time.'],
    ['POST', '&tokenName=%20', 'tokenName is blank.'],
    ['POST', '', /tokenName: is required/],
    ['POST', '&tokenName=a%00b', /tokenName/],
    ['POST', '&tokenName=x&revokeAfter=soon', /revokeAfter/],
    ['POST', '&tokenName=x&revokeAfter=9000000000000000000', /revokeAfter/],
    ['PUT', '&tokenName=nope', 'Specified token does not exist.'],
    ['DELETE', '&tokenName=nope', 'Specified token does not exist.'],
    ['DELETE', '&tokenName=default_token', 'Token default_token is active.'],
    ['GET', '&status=GONE', /status: must be one of "ACTIVE", "REVOKED"/],
  ];
  for (const [method, query, message] of cases) {
    const { status, error } = await request(method, query);
    assert.equal(status, 400, `${method} ${query}`);
    assert.equal(error.code, 'INVALID_REQUEST');
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
  }
});

test('a master key that does not fit the database is found at the start', async (t) => {
  const { tokens, database, bus, clock } = await tokenClient(t);
  await tokens.checkMasterKey();
  const secrets = new SecretBox(randomBytes(32));
  const misconfigured = new TokenService({ database: database.database, bus, clock, secrets });
  await assert.rejects(misconfigured.checkMasterKey(), /another master key/);
});
