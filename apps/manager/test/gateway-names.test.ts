import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import {
  converse,
  DevManager,
  intoRecords,
  type RawTlsOptions,
  rawTls,
  type SplittingProxy,
  splittingProxy,
  TestAuthority,
} from '@sallyport/dev-env';
import type { IssuedPair } from '@sallyport/trust';

// Node's client warns that an IP address is no server name; that is why it is sent here.
process.noDeprecation = true;

let dev: DevManager;
let client: IssuedPair;
let proxy: SplittingProxy;

before(async () => {
  dev = await DevManager.start({ environment: { SALLYPORT_TLS_MIN_VERSION: '1.2' } });
  const authority = await TestAuthority.create('Acme CA');
  client = await authority.client('delegate');
  await dev.account('acme', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
  await dev.account('beta', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
  proxy = await splittingProxy(dev.manager.mtlsAddress.port);
});
after(async () => {
  await proxy.close();
  await dev.stop();
});

const ACME = 'acme.agent.localhost';

interface Knock extends Partial<RawTlsOptions> {
  readonly host?: string;
}

/** Connects with the client certificate of acme and beta, asks for /healthz and gives the whole answer. */
async function knock({ host, ...options }: Knock): Promise<string> {
  const serverName = options.serverName === undefined ? ACME : options.serverName;
  const settings = { port: dev.manager.mtlsAddress.port, certificate: client, ...options, serverName };
  const socket = await rawTls(settings);
  return converse(
    socket,
    `GET /healthz HTTP/1.1\r\nhost: ${host ?? serverName ?? 'localhost'}\r\nconnection: close\r\n\r\n`,
  );
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a name that no endpoint has, or none, is refused in words, whatever certificate comes with it (${version})`, async () => {
    const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}`;
    assert.equal(long.length, 255);
    for (const serverName of [
      'nobody.agent.localhost',
      'agent.localhost',
      'localhost',
      `x.${ACME}`,
      'acme.agent.localhos',
      'acme.agent.localhost..',
      '*.agent.localhost',
      'xn--cme-0na.agent.localhost',
      'acme.agent.localhost:8443',
      long,
      '127.0.0.1',
      '::1',
      null,
    ]) {
      const answer = await knock({ serverName, version });
      assert.match(answer, /^HTTP\/1.1 421 /, String(serverName));
      assert.match(answer, /"code":"UNKNOWN_ENDPOINT"/, String(serverName));
    }
  });

  test(`an endpoint is found under its name in any case, with a trailing dot or without (${version})`, async () => {
    for (const serverName of ['ACME.Agent.LocalHost', `${ACME}.`, 'aCME.agent.localhost.']) {
      assert.match(await knock({ serverName, version }), /^HTTP\/1.1 200 /, serverName);
      assert.match(await knock({ serverName, version, host: ACME }), /^HTTP\/1.1 200 /, serverName);
    }
    assert.match(await knock({ version, host: 'ACME.agent.LOCALHOST.:8443' }), /^HTTP\/1.1 200 /);
  });

  test(`a ClientHello cut in two at any byte is read whole before its name is looked at (${version})`, async () => {
    // Few groups and ciphers make it short: every place can be tried.
    const short = { groups: 'P-256', ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256' };
    let length = 0;
    proxy.cut = (hello) => {
      length = hello.length;
      return [hello];
    };
    assert.match(await knock({ port: proxy.port, version, ...short }), /^HTTP\/1.1 200 /);
    assert.ok(length > 100 && length < 600, `a ClientHello of ${length} bytes`);
    const places = Array.from({ length: length - 1 }, (_, index) => index + 1);
    // Ten at a time; each connection takes the next place.
    const next = places[Symbol.iterator]();
    proxy.cut = (hello) => {
      const place = next.next().value ?? 1;
      return [hello.subarray(0, place), hello.subarray(place)];
    };
    for (let done = 0; done < places.length; done += 10) {
      const batch = places.slice(done, done + 10);
      const answers = await Promise.all(batch.map(() => knock({ port: proxy.port, version, ...short })));
      for (const [index, answer] of answers.entries())
        assert.match(answer, /^HTTP\/1.1 200 /, `cut at ${batch[index]}`);
    }
  });
}

test('a ClientHello of more than one packet, with a post-quantum key share, is understood byte by byte and over many records', async () => {
  const groups = 'X25519MLKEM768:X25519';
  let length = 0;
  proxy.cut = (hello) => {
    length = hello.length;
    return Array.from(hello, (byte) => Buffer.of(byte));
  };
  const settings = { port: proxy.port, groups, version: 'TLSv1.3' } as const;
  assert.match(await knock(settings), /^HTTP\/1.1 200 /, 'byte by byte');
  assert.ok(length > 1_400, `a ClientHello of ${length} bytes`);
  for (const size of [1, 3, 16, 100, 1_000]) {
    proxy.cut = (hello) => intoRecords(hello, size);
    assert.match(await knock(settings), /^HTTP\/1.1 200 /, `records of ${size} bytes`);
    assert.match(await knock({ ...settings, serverName: 'beta.agent.localhost' }), /^HTTP\/1.1 200 /);
    assert.match(await knock({ ...settings, serverName: 'nobody.agent.localhost' }), /UNKNOWN_ENDPOINT/);
  }
});

test('a name with a NUL in it is refused in the handshake, wherever the NUL is', async () => {
  const rewrite = (to: string) => (hello: Buffer) => {
    const at = hello.indexOf(ACME);
    assert.ok(at > 0, 'the name is in the ClientHello');
    const changed = Buffer.from(hello);
    changed.write(to, at, 'latin1');
    return [changed];
  };
  for (const name of ['acme.agent.localhos\0', 'acme\0agent.localhost', '\0cme.agent.localhost']) {
    proxy.cut = rewrite(name);
    await assert.rejects(knock({ port: proxy.port }), /unrecognized name|unrecognised/i, JSON.stringify(name));
  }
  proxy.cut = (hello) => [hello];
  assert.match(await knock({ port: proxy.port }), /^HTTP\/1.1 200 /);
});

test('garbage instead of a ClientHello ends that connection and no other', async () => {
  for (const garbage of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x00\x05hello', '\x80'.repeat(300)]) {
    proxy.cut = () => [Buffer.from(garbage, 'latin1')];
    await assert.rejects(knock({ port: proxy.port }), garbage);
  }
  assert.match(await knock({}), /^HTTP\/1.1 200 /);
});

test("whoever connects by an endpoint's name is shown the names of its own CAs, and of nobody else's", async () => {
  const own = await TestAuthority.create('Gamma CA');
  await dev.account('gamma', { caCertificates: own.certificatePem, mode: 'STRICT' });
  const gamma = await shownAuthorities('gamma.agent.localhost');
  assert.match(gamma, /CN ?= ?Gamma CA/);
  assert.doesNotMatch(gamma, /Acme/);
  const acme = await shownAuthorities(ACME);
  assert.match(acme, /CN ?= ?Acme CA/);
  assert.doesNotMatch(acme, /Gamma/);
  assert.doesNotMatch(await shownAuthorities('nobody.agent.localhost'), /Acme|Gamma/);
});

/** What OpenSSL's client says of the server's request for a certificate. */
function shownAuthorities(serverName: string): Promise<string> {
  return new Promise((resolve) => {
    const { port } = dev.manager.mtlsAddress;
    const client = execFile(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', serverName],
      // It exits with a failure when the server closes first; the text is what counts.
      (_error, stdout) => resolve(stdout),
    );
    client.stdin?.on('error', () => undefined);
    client.stdin?.end();
  }).then((text) => {
    assert.match(String(text), /Acceptable client certificate CA names|Client Certificate Types|Requested Signature/);
    return String(text);
  });
}
