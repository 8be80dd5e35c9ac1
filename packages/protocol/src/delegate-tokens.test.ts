import assert from 'node:assert/strict';
import { test } from 'node:test';
import { delegateTokensIn, encodeDelegateToken, normaliseDelegateToken } from './delegate-tokens.ts';

const hex = '00112233445566778899aabbccddeeff';

test('a token is read as hex and as the base64 of its hex', () => {
  assert.equal(normaliseDelegateToken(hex), hex);
  assert.equal(normaliseDelegateToken(`${hex.toUpperCase()}\n`), hex);
  assert.equal(encodeDelegateToken(hex), 'MDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmY=');
  assert.equal(normaliseDelegateToken(encodeDelegateToken(hex)), hex);
});

test('what is neither hex nor base64 of hex is not a token', () => {
  for (const text of ['', 'abc', `${hex}0`, btoa('x'.repeat(32)), 'PUT_YOUR_DELEGATE_TOKEN']) {
    assert.equal(normaliseDelegateToken(text), null, text);
  }
});

test('what has the form of a token is found in the middle of a text, and a longer hash is none', () => {
  const base64 = encodeDelegateToken(hex);
  assert.deepEqual(delegateTokensIn(`https://${hex}.example.com, "${base64}"`), [hex, base64]);
  assert.deepEqual(delegateTokensIn(`${hex}${hex} ${btoa('x'.repeat(32))}`), []);
});
