import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DevManager, TestAuthority } from '@sallyport/dev-env';
import type { IssuedPair } from '@sallyport/trust';

let dev: DevManager;
let authority: TestAuthority;
let client: IssuedPair;

before(async () => {
  dev = await DevManager.start();
  authority = await TestAuthority.create('Acme CA');
  client = await authority.client('delegate-1');
  await dev.account('acme', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
});
after(() => dev.stop());

test('a client without a certificate is told so in one answer, and may make the start-up precheck', async () => {
  const refused = await dev.request(`${dev.mtlsUrl('acme')}/ng/api/accounts`, {
    method: 'POST',
    body: 'x'.repeat(300_000),
  });
  assert.equal(refused.status, 401);
  assert.equal(refused.body['code'], 'NO_CLIENT_CERTIFICATE');
  assert.equal(refused.headers['connection'], 'close');
  const precheck = await dev.request(`${dev.mtlsUrl('acme')}/api/account/acme/status`);
  assert.equal(precheck.status, 200);
  assert.equal(precheck.body['resource'], 'ACTIVE');
  assert.equal((await dev.request(`${dev.mtlsUrl('acme')}/api/account/other/status`)).status, 401);
});

test('a client with a certificate of the endpoint reaches the API', async () => {
  const answer = await dev.request(`${dev.mtlsUrl('acme')}/healthz`, { certificate: client });
  assert.equal(answer.status, 200);
});
