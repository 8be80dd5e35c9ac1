import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SallyportError } from '@sallyport/protocol';
import { readReceiverUrl } from './receiver-url.ts';

const STRICT = { privateAddresses: false, loopbackHttp: false };

test('a URL is kept as it was sent, in its canonical form', () => {
  for (const [text, href] of [
    ['https://hooks.example.com/sallyport?team=a', 'https://hooks.example.com/sallyport?team=a'],
    ['HTTPS://Hooks.Example.COM:443', 'https://hooks.example.com/'],
    ['https://93.184.215.14:8443/x', 'https://93.184.215.14:8443/x'],
  ] as const) {
    assert.equal(readReceiverUrl(text, STRICT).href, href);
  }
});

test('what could become a header, a credential or another host is refused', () => {
  for (const text of [
    'https://example.com/a\r\nx-injected: 1',
    'https://example.com/a\nb',
    'https://exam\tple.com/',
    'https://example.com/a b',
    ' https://example.com/',
    'https://example.com\\@10.0.0.1/',
    'https://user:password@example.com/',
    'https://token@example.com/',
    'https://example.com/#fragment',
    'https://exämple.com/',
    'example.com',
    'https://',
    `https://example.com/${'a'.repeat(2048)}`,
  ]) {
    assert.throws(() => readReceiverUrl(text, STRICT), SallyportError, text);
  }
});

test('only https is sent to, and http on loopback when the operator allows it', () => {
  for (const text of [
    'http://example.com/',
    'http://127.0.0.1/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'data:x',
  ]) {
    assert.throws(() => readReceiverUrl(text, STRICT), SallyportError, text);
  }
  const loopback = { privateAddresses: false, loopbackHttp: true };
  assert.equal(readReceiverUrl('http://127.0.0.1:8080/', loopback).host, '127.0.0.1:8080');
  assert.equal(readReceiverUrl('http://localhost:8080/', loopback).host, 'localhost:8080');
  assert.throws(() => readReceiverUrl('http://10.0.0.1/', loopback), /address 10\.0\.0\.1/);
  assert.throws(() => readReceiverUrl('http://notlocalhost/', loopback), /loopback only/);
});

test('an address is recognised in every spelling', () => {
  for (const host of [
    '127.0.0.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.1',
    '%31%32%37.0.0.1',
    '169.254.169.254',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[0:0:0:0:0:ffff:7f00:1]',
    '[fe80::1]',
    '10.0.0.1',
  ]) {
    assert.throws(() => readReceiverUrl(`https://${host}/`, STRICT), /may not connect to/, host);
  }
});
