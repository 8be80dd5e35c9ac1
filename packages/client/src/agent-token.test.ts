import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { compactDecrypt, jwtDecrypt } from 'jose';
import { AgentTokenSource } from './agent-token.ts';
import { Secret } from './secret.ts';

const HEX = '00112233445566778899aabbccddeeff';
const KEY = Buffer.from(HEX, 'hex');

/** Made for the wire specification with Node's own AES-GCM, not with this code. */
const VECTOR =
  'eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIiwidHlwIjoiSldUIn0..AAECAwQFBgcICQoL.UPdEscy1tUL-W0qyIa9tz2Rs_mhOk4f-_Cu_PMMnpElD7fBuSioohRbE7puxdPe90xLhwdnut4PJKBfaC8p6LOLb7rBlV0H38VWbV2sVbZtHo13RVgnzADtxVN6Ky16HnTX_DoXYhmOwDDTJA5f4LP8kPU9p306LSJEiigbXVFo.Rd1fRdsQqVzZyqLVPARmLQ';

const source = (token: string, now: () => number) =>
  new AgentTokenSource({ accountId: 'acc-1', token: new Secret(token), issuer: 'r1', audience: 'https://m', now });

test('the key of the wire test vector opens it', async () => {
  const { plaintext, protectedHeader } = await compactDecrypt(VECTOR, KEY);
  assert.deepEqual(protectedHeader, { alg: 'dir', enc: 'A128GCM', typ: 'JWT' });
  assert.equal(JSON.parse(new TextDecoder().decode(plaintext)).sub, 'acc-1');
});

test('a token has the header and the claims of the wire specification and lives twenty minutes', async () => {
  const now = 1_900_000_000_000;
  const authorization = await source(HEX, () => now).authorization();
  assert.match(authorization, /^Delegate [\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/);
  const { payload, protectedHeader } = await jwtDecrypt(authorization.slice('Delegate '.length), KEY, {
    currentDate: new Date(now),
  });
  assert.deepEqual(protectedHeader, { alg: 'dir', enc: 'A128GCM', typ: 'JWT' });
  const { jti, ...claims } = payload;
  assert.deepEqual(claims, { sub: 'acc-1', iss: 'r1', aud: ['https://m'], iat: 1_900_000_000, exp: 1_900_001_200 });
  assert.match(String(jti), /^[0-9a-f-]{36}$/);
});

test('the base64 form of a token makes the same key', async () => {
  const now = 1_900_000_000_000;
  const authorization = await source(btoa(HEX), () => now).authorization();
  await jwtDecrypt(authorization.slice('Delegate '.length), KEY, { currentDate: new Date(now) });
});

test('a token is used for ten minutes, then renewed, and renewed too when the clock was set back', async () => {
  let now = 1_900_000_000_000;
  const tokens = source(HEX, () => now);
  const first = await tokens.authorization();
  now += 599_000;
  assert.equal(await tokens.authorization(), first);
  now += 1000;
  const second = await tokens.authorization();
  assert.notEqual(second, first);
  now -= 3_600_000;
  assert.notEqual(await tokens.authorization(), second);
});

test('what is no token is refused without being shown', () => {
  assert.throws(
    () => source('PUT_YOUR_DELEGATE_TOKEN', Date.now),
    (error: Error) => !error.message.includes('PUT_YOUR') && /hex/.test(error.message),
  );
});

test('a secret shows itself nowhere but where it is asked for', () => {
  const secret = new Secret(HEX);
  assert.ok(![`${secret}`, JSON.stringify({ secret }), inspect({ secret })].some((text) => text.includes(HEX)));
  assert.equal(secret.reveal(), HEX);
});
