import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNoProxy } from './no-proxy.ts';
import { proxyFor, readProxySettings } from './proxy-settings.ts';

test('without any proxy variable connections are direct', () => {
  assert.deepEqual(readProxySettings({ PROXY_HOST: '', HTTPS_PROXY: ' ' }), { proxy: null, problems: [] });
});

test("the delegate's own variables name a proxy with its credentials", () => {
  const { proxy, problems } = readProxySettings({
    PROXY_HOST: 'proxy.corp',
    PROXY_PORT: '3128',
    PROXY_SCHEME: 'https',
    PROXY_USER: 'ann',
    PROXY_PASSWORD: 'p@ss:word',
    HTTPS_PROXY: 'http://other:1',
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    { scheme: proxy?.scheme, host: proxy?.host, port: proxy?.port },
    { scheme: 'https', host: 'proxy.corp', port: 3128 },
  );
  assert.equal(proxy?.authorization?.reveal(), `Basic ${btoa('ann:p@ss:word')}`);
  assert.ok(!JSON.stringify(proxy).includes(btoa('ann:p@ss:word')));
});

test('the usual URL form is understood, with and without scheme and with escaped credentials', () => {
  const full = readProxySettings({ https_proxy: 'http://ann:p%40ss@proxy.corp:8080' }).proxy;
  assert.equal(full?.authorization?.reveal(), `Basic ${btoa('ann:p@ss')}`);
  assert.equal(full?.port, 8080);
  const bare = readProxySettings({ HTTPS_PROXY: 'proxy.corp' }).proxy;
  assert.deepEqual([bare?.scheme, bare?.host, bare?.port, bare?.authorization], ['http', 'proxy.corp', 80, null]);
});

test('a malformed proxy variable is named and no password is shown', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ PROXY_HOST: 'http://proxy' }, /^PROXY_HOST/],
    [{ PROXY_HOST: 'p', PROXY_PORT: '99999' }, /^PROXY_PORT: "99999"/],
    [{ PROXY_HOST: 'p', PROXY_SCHEME: 'socks5' }, /^PROXY_SCHEME: "socks5"/],
    [{ PROXY_HOST: 'p', PROXY_PASSWORD: 'hunter2' }, /^PROXY_PASSWORD: set without PROXY_USER/],
    [{ PROXY_PASSWORD: 'hunter2' }, /^PROXY_PASSWORD: set without PROXY_HOST/],
    [{ HTTPS_PROXY: 'socks5://ann:hunter2@p' }, /^HTTPS_PROXY: not a proxy URL/],
    [{ HTTPS_PROXY: 'http://ann:hunter2%@p' }, /^HTTPS_PROXY: user or password/],
    [{ NO_PROXY: '10.0.0.0/99' }, /^NO_PROXY: "10.0.0.0\/99"/],
  ];
  for (const [environment, expected] of cases) {
    const { problems } = readProxySettings(environment);
    assert.match(problems.join('\n'), expected);
    assert.ok(!problems.join().includes('hunter2'));
  }
});

test('NO_PROXY exempts hosts by name, domain, port, address and block', () => {
  const exempt = (list: string, host: string, port = 443) => {
    const { rules } = parseNoProxy(list);
    const proxy = { scheme: 'http', host: 'p', port: 1, authorization: null, noProxy: rules } as const;
    return proxyFor(proxy, host, port) === null;
  };
  assert.ok(exempt('*', 'anything'));
  assert.ok(exempt('example.com', 'example.com'));
  assert.ok(exempt('a.test, example.com', 'Manager.Example.com.'));
  assert.ok(!exempt('example.com', 'badexample.com'));
  assert.ok(exempt('.example.com', 'm.example.com'));
  assert.ok(!exempt('.example.com', 'example.com'));
  assert.ok(exempt('example.com:8443', 'example.com', 8443));
  assert.ok(!exempt('example.com:8443', 'example.com', 443));
  assert.ok(exempt('10.0.0.0/8 192.0.2.7', '10.1.2.3'));
  assert.ok(exempt('10.0.0.0/8 192.0.2.7', '192.0.2.7'));
  assert.ok(!exempt('10.0.0.0/8', '11.1.2.3'));
  assert.ok(!exempt('10.0.0.0/8', 'ten.example.com'));
  assert.ok(!exempt('', 'localhost'));
});
