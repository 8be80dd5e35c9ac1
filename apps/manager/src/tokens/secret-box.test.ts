import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { SecretBox, SecretBoxError } from './secret-box.ts';

const box = new SecretBox(randomBytes(32));
const secret = randomBytes(16);
const place = { accountId: 'acme', tokenId: 't1' };

test('a secret opens where it belongs, and is sealed differently every time', () => {
  const [one, two] = [box.seal(secret, place), box.seal(secret, place)];
  assert.notEqual(one, two);
  assert.deepEqual(box.open(one, place), secret);
  assert.deepEqual(box.open(two, place), secret);
  assert.ok(!one.includes(secret.toString('base64url')) && !one.includes(secret.toString('hex')));
});

test('a sealed secret that was moved to another account or token does not open', () => {
  const sealed = box.seal(secret, place);
  for (const elsewhere of [
    { accountId: 'other', tokenId: 't1' },
    { accountId: 'acme', tokenId: 't2' },
    { accountId: 'acm', tokenId: 'et1' },
    { accountId: 'acme', webhookId: 't1' },
  ]) {
    assert.throws(() => box.open(sealed, elsewhere), SecretBoxError);
  }
});

test('altered text and another master key do not open, and the error names the token but nothing secret', () => {
  const sealed = box.seal(secret, place);
  const [version = '', nonce = '', bytes = ''] = sealed.split('.');
  const flipped = Buffer.from(bytes, 'base64url');
  flipped.writeUInt8(flipped.readUInt8(0) ^ 1, 0);
  for (const wrong of [
    `v2.${nonce}.${bytes}`,
    `${version}.${randomBytes(12).toString('base64url')}.${bytes}`,
    `${version}.${nonce}.${flipped.toString('base64url')}`,
    `${version}.${nonce}.${bytes.slice(0, 20)}`,
    `${version}.${nonce}.${bytes.slice(0, -8)}`,
    `${version}..${bytes}`,
    `${sealed}.x`,
    '',
  ]) {
    assert.throws(() => box.open(wrong, place), SecretBoxError, wrong);
  }
  assert.throws(
    () => new SecretBox(randomBytes(32)).open(sealed, place),
    /token t1 of account acme.*another master key/,
  );
});

test('a master key of another length is a mistake', () => {
  assert.throws(() => new SecretBox(randomBytes(16)), /32 bytes, not 16/);
});
