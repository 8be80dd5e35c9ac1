import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type DevAccount, DevAgent, DevManager, KeptConnection, TestAuthority } from '@sallyport/dev-env';
import type { Refusal } from '@sallyport/protocol';
import type { IssuedPair } from '@sallyport/trust';

// A delegate that is refused for its token is one that the account has to be told of, as one refused for its certificate.

let dev: DevManager;
let acme: DevAccount;
let beta: DevAccount;
let certificate: IssuedPair;

before(async () => {
  dev = await DevManager.start();
  const authority = await TestAuthority.create('CA');
  certificate = await authority.client('edge');
  const trust = { caCertificates: authority.certificatePem, mode: 'LOOSE' as const };
  acme = await dev.account('acme', trust);
  beta = await dev.account('beta', trust);
});
after(() => dev.stop());

const NOBODYS = 'f'.repeat(32);

async function refusedOn(
  listener: 'mtls' | 'public',
  token: string,
  { accountId = 'acme', clockBehindMs = 0 } = {},
): Promise<string> {
  const connection = await KeptConnection.open(
    listener === 'mtls'
      ? { port: dev.manager.mtlsAddress.port, serverName: 'acme.agent.localhost', certificate }
      : { port: dev.manager.publicAddress.port, serverName: 'localhost' },
  );
  const agent = new DevAgent(connection, { accountId, token, name: 'edge', now: () => Date.now() - clockBehindMs });
  const { status, body } = await agent.register();
  connection.close();
  assert.equal(status, 401);
  return String(body['code']);
}

async function refusals(account: DevAccount): Promise<Refusal[]> {
  const path = `/ng/api/agent/mtls/refusals?accountIdentifier=${account.id}`;
  return (await dev.must('GET', path, undefined, account.viewerKey)) as unknown as Refusal[];
}

test('a request that is refused for its token is told to its account, with who it was and what to do', async () => {
  assert.equal(await refusedOn('mtls', acme.token, { clockBehindMs: 1_247_000 }), 'EXPIRED_TOKEN');
  assert.equal(await refusedOn('mtls', beta.token), 'INVALID_TOKEN');
  assert.equal(await refusedOn('mtls', NOBODYS), 'INVALID_TOKEN');
  assert.equal(await refusedOn('public', NOBODYS), 'INVALID_TOKEN');
  const told = await refusals(acme);
  assert.deepEqual(
    told
      .map(({ reason, count, certificate: shown, serverName, remoteAddress }) =>
        [reason, count, shown?.fingerprint, serverName, remoteAddress].join(' '),
      )
      .toSorted(),
    [
      `EXPIRED_TOKEN 1 ${certificate.facts.fingerprint256} acme.agent.localhost 127.0.0.1`,
      'INVALID_TOKEN 1  localhost 127.0.0.1',
      `INVALID_TOKEN 2 ${certificate.facts.fingerprint256} acme.agent.localhost 127.0.0.1`,
    ],
  );
  const expired = told.find(({ reason }) => reason === 'EXPIRED_TOKEN');
  assert.match(expired?.remedy ?? '', /is 20 min 4[78] s behind/);
  assert.ok(told.every(({ remedy }) => remedy !== '' && !remedy.includes('\n')));
  assert.deepEqual(await refusals(beta), [], 'nobody else is told');
});

test('a revoked token is told, and readiness does not take it for a bad certificate', async () => {
  const gamma = await dev.account('gamma');
  const tokens = '/ng/api/delegate-token-ng?accountIdentifier=gamma';
  const [token] = (await dev.must('GET', tokens)) as unknown as { name: string }[];
  await dev.must('PUT', `${tokens}&tokenName=${token?.name}`);
  assert.equal(await refusedOn('public', gamma.token, { accountId: 'gamma' }), 'REVOKED_TOKEN');
  const [told] = await refusals(gamma);
  assert.deepEqual([told?.reason, told?.count], ['REVOKED_TOKEN', 1]);
  assert.match(told?.remedy ?? '', /DELEGATE_TOKEN/);
  const ready = await dev.must('GET', '/ng/api/agent/mtls/readiness?accountIdentifier=acme', undefined, acme.viewerKey);
  assert.equal(ready['ready'], true);
});

test('a flood of bad tokens is one group', async () => {
  const connection = await KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
  const agent = new DevAgent(connection, { accountId: 'beta', token: NOBODYS, name: 'edge' });
  const [before] = (await refusals(beta)).map(({ count }) => count);
  for (let turn = 0; turn < 30; turn++) await agent.register();
  connection.close();
  assert.deepEqual(
    (await refusals(beta)).map(({ count }) => count),
    [(before ?? 0) + 30],
  );
});
