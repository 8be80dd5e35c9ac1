import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { onBothDatabases } from '@sallyport/dev-env';
import type { AgentMtlsEndpointDetails, AuditEvent } from '@sallyport/protocol';
import { type ManagementApiOptions, managementApi } from '../../test/management-api.ts';
import { openDatabase } from '../database/open-database.ts';
import { EndpointStore } from './endpoint-store.ts';

const storeTest = onBothDatabases(openDatabase);

// Real CAs that are at hand without making any: that they are public ones only gives a warning.
const [ca = '', otherCa = ''] = rootCertificates;

type Details = AgentMtlsEndpointDetails;
interface Hybrid extends Details {
  metaData: { url: string; warnings: { code: string; message: string; subject: string }[] };
}

async function endpointClient(t: TestContext, options: ManagementApiOptions = {}) {
  const api = await managementApi(t, options);
  // The CAs above are valid today, not in the past where the other tests play.
  api.clock.at = Date.now();
  const acme = await api.account('acme');
  const other = await api.account('other');
  const request = <T = Details>(
    method: string,
    body?: unknown,
    { key = acme.admin, account = 'acme', query = '' } = {},
  ) => api.call<T>(key, method, `/ng/api/agent/mtls/endpoint?accountIdentifier=${account}${query}`, body);
  const available = (prefix: string, { key = acme.admin, account = 'acme' } = {}) => {
    const query = `accountIdentifier=${account}&domainPrefix=${prefix}`;
    return api.call<boolean>(key, 'GET', `/ng/api/agent/mtls/check-availability?${query}`);
  };
  return { ...api, acme, other, request, available };
}

const blue = { domainPrefix: 'Blue', caCertificates: ca, mode: 'LOOSE' };

storeTest('an endpoint is created, read, replaced, patched and deleted', async (t, database) => {
  const { request } = await endpointClient(t, { database });
  const created = await request('POST', blue);
  assert.equal(created.status, 200);
  const { uuid } = created.resource;
  const details = { accountId: 'acme', fqdn: 'blue.agent.example.test', caCertificates: ca, mode: 'LOOSE', uuid };
  assert.deepEqual(created.resource, details);
  assert.deepEqual((await request('GET')).resource, details);

  const replaced = await request('PUT', { domainPrefix: 'green', caCertificates: otherCa, mode: 'STRICT' });
  const green = { ...details, fqdn: 'green.agent.example.test', caCertificates: otherCa, mode: 'STRICT' };
  assert.deepEqual(replaced.resource, green);
  assert.deepEqual((await request('PATCH', { mode: 'LOOSE', domainPrefix: null })).resource, {
    ...green,
    mode: 'LOOSE',
  });
  assert.deepEqual((await request('GET')).resource, { ...green, mode: 'LOOSE' });

  assert.equal((await request<boolean>('DELETE')).resource, true);
  assert.equal((await request<boolean>('DELETE')).resource, false);
  const gone = await request('GET');
  assert.equal(gone.status, 404);
  assert.equal(gone.error.code, 'ENTITY_NOT_FOUND');
  assert.equal(gone.error.message, "Agent mTLS endpoint for account 'acme' was not found.");
});

storeTest('both prefixes and both body shapes that clients know are served', async (t, database) => {
  const { request, call, acme } = await endpointClient(t, { database });
  const { body } = await request('POST', blue);
  const { metaData, resource, responseMessages, ...bare } = body;
  assert.deepEqual(bare, resource);
  assert.deepEqual(responseMessages, []);
  assert.equal((metaData as Hybrid['metaData']).url, 'https://blue.agent.example.test:8443');
  const viaGateway = await call(acme.viewer, 'GET', '/gateway/ng/api/agent/mtls/endpoint?accountIdentifier=acme');
  assert.deepEqual(viaGateway.resource, resource);
  const deleted = await request('DELETE');
  assert.deepEqual(deleted.body, { metaData: {}, resource: true, responseMessages: [] });
});

storeTest('every write is announced after it is done, and counts as a new revision', async (t, database) => {
  const { request, bus, other } = await endpointClient(t, { database });
  const endpoints = new EndpointStore(database.database);
  const heard: string[] = [];
  bus.subscribe('trust-changed', async ({ accountId }) => {
    const seen = await endpoints.byAccount(accountId);
    heard.push(`${accountId} ${seen === null ? 'none' : `${seen.fqdn.split('.')[0]} ${seen.mode} ${seen.revision}`}`);
  });
  await request('POST', blue);
  await request('PATCH', { mode: 'STRICT' });
  await request('PUT', { ...blue, domainPrefix: 'green' });
  await request('POST', blue);
  await request('PATCH', { mode: 'OPEN' });
  await request('POST', { ...blue, domainPrefix: 'green' }, { account: 'other', key: other.admin });
  await request('DELETE');
  assert.deepEqual(heard, ['acme blue LOOSE 1', 'acme blue STRICT 2', 'acme green LOOSE 3', 'acme none']);
});

storeTest('a name belongs to one account', async (t, database) => {
  const { request, available, other } = await endpointClient(t, { database });
  const as = { account: 'other', key: other.admin };
  await request('POST', blue);
  const taken = "Agent mTLS endpoint with domain prefix 'BLUE' or accountId 'other' already exists.";
  assert.equal((await request('POST', { ...blue, domainPrefix: 'BLUE' }, as)).error.message, taken);
  await request('POST', { ...blue, domainPrefix: 'red' }, as);
  for (const method of ['PUT', 'PATCH']) {
    const { status, error } = await request(method, { ...blue, domainPrefix: 'BLUE' }, as);
    assert.equal(status, 400, method);
    assert.equal(error.message, taken);
  }
  const second = await request('POST', { ...blue, domainPrefix: 'second' });
  assert.equal(second.status, 400);
  assert.match(second.error.message, /'second' or accountId 'acme' already exists/);

  assert.equal((await available('free')).resource, true);
  assert.equal((await available('RED')).resource, false);
  assert.equal((await available('blue')).resource, false, "the caller's own prefix is taken too");
});

test('the errors of the endpoint calls are in the words that existing clients know', async (t) => {
  const { request, available } = await endpointClient(t);
  const noCa = 'No CA certificate was provided for the agent mTLS endpoint.';
  const noPrefix = 'No domain prefix was provided for the agent mTLS endpoint.';
  const noMode = 'No agent mTLS mode was provided.';
  const cases: [string, unknown, string | RegExp][] = [
    ['POST', {}, noCa],
    ['POST', { ...blue, caCertificates: ' \n' }, noCa],
    ['POST', { caCertificates: ca }, noPrefix],
    ['POST', { ...blue, domainPrefix: ' ' }, noPrefix],
    ['POST', { ...blue, domainPrefix: 'a.b' }, "Provided domain prefix 'a.b' has more than one level."],
    [
      'POST',
      { ...blue, domainPrefix: 'some%' },
      "Provided domain prefix 'some%' is invalid (full fqdn: 'some%.agent.example.test').",
    ],
    ['POST', { domainPrefix: 'blue', caCertificates: ca }, noMode],
    ['POST', { ...blue, mode: null }, noMode],
    ['POST', { ...blue, mode: 'OPEN' }, 'mode: must be one of "LOOSE", "STRICT"'],
    ['PUT', {}, noCa],
    ['PUT', { caCertificates: ca }, noPrefix],
    ['PATCH', {}, 'The patch request is empty.'],
    ['PATCH', { domainPrefix: null, caCertificates: null, mode: null }, 'The patch request is empty.'],
    ['PATCH', { caCertificates: '' }, noCa],
    ['PATCH', { domainPrefix: '' }, noPrefix],
  ];
  for (const [method, body, message] of cases) {
    const { status, error } = await request(method, body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.equal(error.code, 'INVALID_REQUEST');
    assert.equal(error.message, message);
  }
  for (const [method, body] of [
    ['PUT', blue],
    ['PATCH', { mode: 'STRICT' }],
    ['GET', undefined],
  ] as const) {
    const { status, error } = await request(method, body);
    assert.equal(status, 404, method);
    assert.equal(error.message, "Agent mTLS endpoint for account 'acme' was not found.");
  }
  assert.equal((await available('')).error.message, noPrefix);
  assert.equal((await available('a.b')).error.message, "Provided domain prefix 'a.b' has more than one level.");
});

test('no endpoint call works before mTLS is enabled for the account, or without an agent domain', async (t) => {
  for (const [options, mtlsEnabled, message] of [
    [{}, false, "The requested feature is not available: mTLS is not enabled for account 'new'."],
    [{ agentDomain: null }, true, 'The requested feature is not available: this control plane has no agent domain.'],
  ] as const) {
    const { account, call } = await managementApi(t, options);
    const { admin } = await account('new', { mtlsEnabled });
    for (const method of ['POST', 'PUT', 'PATCH', 'GET', 'DELETE', 'CHECK']) {
      const path = method === 'CHECK' ? 'check-availability' : 'endpoint';
      const url = `/ng/api/agent/mtls/${path}?accountIdentifier=new&domainPrefix=x`;
      const verb = method === 'CHECK' ? 'GET' : method;
      const { status, error } = await call(
        admin,
        verb,
        url,
        ['POST', 'PUT', 'PATCH'].includes(verb) ? blue : undefined,
      );
      assert.equal(status, 417, method);
      assert.equal(error.code, 'FEATURE_UNAVAILABLE');
      assert.equal(error.message, message);
    }
  }
});

test('organisation and project identifiers are refused on every call', async (t) => {
  const { request, call, acme } = await endpointClient(t);
  for (const query of ['&orgIdentifier=o1', '&projectIdentifier=p1', '&orgIdentifier=o1&projectIdentifier=p1']) {
    for (const method of ['POST', 'PUT', 'PATCH', 'GET', 'DELETE']) {
      const body = ['GET', 'DELETE'].includes(method) ? undefined : blue;
      const { status, error } = await request(method, body, { query });
      assert.equal(status, 400, method);
      assert.match(error.message, /project-level certificates are not supported/);
    }
    const url = `/ng/api/agent/mtls/check-availability?accountIdentifier=acme&domainPrefix=x${query}`;
    assert.match((await call(acme.admin, 'GET', url)).error.message, /project-level certificates are not supported/);
  }
});

test('what is no CA bundle is refused by the code INVALID_CA_BUNDLE and changes nothing', async (t) => {
  const { request } = await endpointClient(t);
  const created = await request('POST', blue);
  for (const caCertificates of ['ca.crt', `a comment\0\n${ca}`, ca.slice(0, 200), `${ca}${'\n'.repeat(65_536)}`]) {
    for (const [method, body] of [
      ['PATCH', { caCertificates }],
      ['PUT', { ...blue, caCertificates }],
    ] as const) {
      const { status, error } = await request(method, body);
      assert.equal(status, 400);
      assert.equal(error.code, 'INVALID_CA_BUNDLE');
    }
  }
  assert.deepEqual((await request('GET')).resource, created.resource);
});

test('a private key in the bundle is refused loudly, and is in no file and no log afterwards', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-leak-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const database = await openDatabase({ file: join(folder, 'sallyport.db') });
  const { request, log } = await endpointClient(t, { database });
  const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' });
  const caCertificates = `${ca}\n${pem}`;
  for (const [method, body] of [
    ['POST', { ...blue, caCertificates }],
    ['POST', { ...blue, caCertificates, domainPrefix: 5 }],
    ['POST', { ...blue, caCertificates: [caCertificates] }],
    ['POST', blue],
    ['PUT', { ...blue, caCertificates }],
    ['PATCH', { caCertificates }],
  ] as const) {
    const { status, error } = await request(method, body);
    assert.equal(status, body === blue ? 200 : 400);
    assert.doesNotMatch(JSON.stringify(error), /BEGIN PRIVATE KEY/);
    if (
      body !== blue &&
      typeof body.caCertificates === 'string' &&
      !('domainPrefix' in body && body.domainPrefix === 5)
    ) {
      assert.equal(error.code, 'INVALID_CA_BUNDLE');
      assert.match(error.message, /PRIVATE KEY.*not stored/s);
    }
  }
  const secret = String(pem).split('\n')[1] ?? '';
  assert.ok(secret.length > 40);
  const places = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
  assert.ok(
    places.some((content) => content.includes('blue.agent.example.test')),
    'the files are the right ones',
  );
  for (const content of [...places, log()]) assert.ok(!content.includes(secret) && !content.includes('PRIVATE KEY'));
  await database.close();
});

test('a bundle that was fine and is of no use today still answers, with the reason as a warning', async (t) => {
  const { request, clock } = await endpointClient(t);
  const warnings = async (method: string, body?: unknown) =>
    ((await request<Details>(method, body)).body['metaData'] as Hybrid['metaData']).warnings;
  const [first] = await warnings('POST', blue);
  assert.equal(first?.code, 'PUBLIC_WEB_CA');
  assert.ok(first?.message && first.subject);
  clock.at = Date.UTC(2150, 0, 1);
  for (const [method, body] of [['GET'], ['PATCH', { mode: 'STRICT' }]] as const) {
    const [warning] = await warnings(method, body);
    assert.equal(warning?.code, 'ALL_EXPIRED');
  }
});

test('mTLS cannot be switched off under an endpoint: a STRICT account would accept plain connections again', async (t) => {
  const { request, call, keys } = await endpointClient(t);
  await request('POST', { ...blue, mode: 'STRICT' });
  const disable = () => call(keys.operator, 'PATCH', '/ng/api/accounts/acme', { mtlsEnabled: false });
  const { status, error } = await disable();
  assert.equal(status, 409);
  assert.match(error.message, /still has an mTLS endpoint/);
  assert.equal((await request('GET')).resource.mode, 'STRICT');
  await request('DELETE');
  assert.equal((await disable()).status, 200);
});

storeTest('who changed an endpoint is on record, by certificate and never by its text', async (t, database) => {
  const { request, call, acme, clock, keys } = await endpointClient(t, { database });
  for (const [method, body] of [['POST', blue], ['PATCH', { mode: 'STRICT' }], ['DELETE']] as const) {
    clock.at += 1;
    await request(method, body);
  }
  const { resource: events } = await call<AuditEvent[]>(
    acme.admin,
    'GET',
    '/ng/api/audit?accountIdentifier=acme&limit=3',
  );
  assert.deepEqual(
    events.map(({ action, details, actor }) => [action, details['mode'], actor.replace(/\(.*\)/, '()')]),
    [
      ['endpoint.deleted', 'STRICT', 'account-admin "ACCOUNT_ADMIN" ()'],
      ['endpoint.updated', 'STRICT', 'account-admin "ACCOUNT_ADMIN" ()'],
      ['endpoint.created', 'LOOSE', 'account-admin "ACCOUNT_ADMIN" ()'],
    ],
  );
  assert.match(JSON.stringify(events[2]?.details['authorities']), /"fingerprint":"[0-9a-f]{64}"/);
  const everything = JSON.stringify((await call(keys.operator, 'GET', '/ng/api/audit?limit=1000')).body);
  assert.ok(!everything.includes('BEGIN CERTIFICATE') && !everything.includes(keys.operator));
});
