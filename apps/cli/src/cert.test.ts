import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Outcome, runCommand } from '../test/captured-terminal.ts';

interface Desk {
  readonly at: (name: string) => string;
  readonly read: (name: string) => string;
  cert(...args: string[]): Promise<Outcome>;
  /** The CA and a client certificate of it, in ca.* and client.*. */
  pair(): Promise<void>;
}

function desk(t: TestContext): Desk {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-cert-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string) => join(folder, name);
  const cert = (...args: string[]) => runCommand(['cert', ...args], { now: Date.now() });
  return {
    at,
    cert,
    read: (name) => readFileSync(at(name), 'utf8'),
    async pair() {
      const ca = await cert(
        'ca',
        '--name',
        'Acme CA',
        '--organization',
        'Acme',
        '--key-type',
        'ec-p256',
        '--out',
        at('ca'),
      );
      assert.equal(ca.exit, 0, ca.stderr);
      const client = await cert(
        'client',
        '--name',
        'edge-1',
        '--key-type',
        'ec-p256',
        '--ca',
        at('ca.crt'),
        '--ca-key',
        at('ca.key'),
        '--out',
        at('client'),
      );
      assert.equal(client.exit, 0, client.stderr);
    },
  };
}

const openssl = (...args: string[]): string =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

test('a CA and a client certificate of it are what openssl takes for a TLS client, the keys for their owner only', async (t) => {
  const { at, pair, cert } = desk(t);
  await pair();
  assert.match(openssl('verify', '-purpose', 'sslclient', '-CAfile', at('ca.crt'), at('client.crt')), /: OK/);
  const text = openssl('x509', '-in', at('client.crt'), '-noout', '-ext', 'subjectAltName,extendedKeyUsage');
  assert.match(text, /DNS:edge-1/);
  assert.match(text, /TLS Web Client Authentication/);
  for (const key of ['ca.key', 'client.key']) assert.equal(statSync(at(key)).mode & 0o777, 0o600);
  const verified = await cert('verify', at('client.crt'), '--key', at('client.key'), '--ca', at('ca.crt'));
  assert.equal(verified.exit, 0, verified.stderr);
  assert.match(verified.stdout, /^Admitted, until /);
});

test('the default key is RSA in PKCS#8, which the Java delegate reads, and an EC key comes with a warning', async (t) => {
  const { at, read, pair, cert } = desk(t);
  await pair();
  const made = await cert(
    'client',
    '--name',
    'java',
    '--ca',
    at('ca.crt'),
    '--ca-key',
    at('ca.key'),
    '--out',
    at('java'),
  );
  assert.equal(made.exit, 0, made.stderr);
  assert.equal(made.stderr, '');
  assert.match(read('java.key'), /^-----BEGIN PRIVATE KEY-----/);
  assert.match(openssl('pkey', '-in', at('java.key'), '-noout', '-text'), /2048 bit/);
  const ec = await cert('csr', '--name', 'go', '--key-type', 'ec-p256', '--out', at('go'));
  assert.match(ec.stderr, /Java delegate reads RSA keys only/);
});

test('nothing is overwritten without --force, and nothing half-written stays', async (t) => {
  const { at, read, pair, cert } = desk(t);
  await pair();
  const before = [read('ca.crt'), read('ca.key')];
  const again = await cert('ca', '--name', 'Other', '--key-type', 'ec-p256', '--out', at('ca'));
  assert.equal(again.exit, 6);
  assert.match(again.stderr, /ca\.crt exists and is not overwritten/);
  assert.deepEqual([read('ca.crt'), read('ca.key')], before);
  rmSync(at('ca.crt'));
  assert.equal(
    (await cert('ca', '--name', 'Other', '--key-type', 'ec-p256', '--out', at('ca'))).exit,
    6,
    'the key alone is enough',
  );
  assert.throws(() => read('ca.crt'));
  assert.equal((await cert('ca', '--name', 'Other', '--key-type', 'ec-p256', '--out', at('ca'), '--force')).exit, 0);
  assert.notEqual(read('ca.key'), before[1]);
});

test('a passphrase protects the key of the CA, and is asked for when it is missing', async (t) => {
  const { at, read, cert } = desk(t);
  writeFileSync(at('passphrase'), 'correct horse\n');
  const made = await cert(
    'ca',
    '--name',
    'Acme CA',
    '--key-type',
    'ec-p256',
    '--passphrase-file',
    at('passphrase'),
    '--out',
    at('ca'),
  );
  assert.equal(made.exit, 0, made.stderr);
  assert.match(read('ca.key'), /BEGIN ENCRYPTED PRIVATE KEY/);
  openssl('pkey', '-in', at('ca.key'), '-passin', 'pass:correct horse', '-noout');
  const sign = (...more: string[]) =>
    cert(
      'client',
      '--name',
      'a',
      '--key-type',
      'ec-p256',
      '--ca',
      at('ca.crt'),
      '--ca-key',
      at('ca.key'),
      '--out',
      at('a'),
      ...more,
    );
  const missing = await sign();
  assert.equal(missing.exit, 2);
  assert.match(missing.stderr, /passphrase/i);
  assert.equal((await sign('--passphrase-file', at('passphrase'))).exit, 0);
});

test('a request is signed as a client certificate, and what it asked for beyond that is named', async (t) => {
  const { at, pair, cert } = desk(t);
  await pair();
  writeFileSync(
    at('evil.cnf'),
    '[req]\nprompt=no\ndistinguished_name=dn\nreq_extensions=ext\n[dn]\nCN=edge-2\n[ext]\nbasicConstraints=critical,CA:TRUE\nsubjectAltName=DNS:edge-2\n',
  );
  openssl(
    'req',
    '-new',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-config',
    at('evil.cnf'),
    '-keyout',
    at('evil.key'),
    '-out',
    at('evil.csr'),
  );
  const signed = await cert(
    'sign',
    at('evil.csr'),
    '--ca',
    at('ca.crt'),
    '--ca-key',
    at('ca.key'),
    '--out',
    at('evil.crt'),
  );
  assert.equal(signed.exit, 0, signed.stderr);
  assert.match(signed.stderr, /Not granted: /);
  assert.match(openssl('x509', '-in', at('evil.crt'), '-noout', '-ext', 'basicConstraints'), /CA:FALSE/);
  assert.equal((await cert('verify', at('evil.crt'), '--key', at('evil.key'), '--ca', at('ca.crt'))).exit, 0);
});

test('a renewed certificate has the same identity and a new key, or the old one when that is asked for', async (t) => {
  const { at, pair, cert } = desk(t);
  await pair();
  const authority = ['--ca', at('ca.crt'), '--ca-key', at('ca.key')];
  assert.equal(
    (await cert('renew', at('client.crt'), ...authority, '--key-type', 'ec-p256', '--out', at('next'))).exit,
    0,
  );
  assert.equal(
    (await cert('renew', at('client.crt'), ...authority, '--keep-key', at('client.key'), '--out', at('kept'))).exit,
    0,
  );
  const subject = (name: string) => openssl('x509', '-in', at(name), '-noout', '-subject', '-ext', 'subjectAltName');
  assert.equal(subject('next.crt'), subject('client.crt'));
  assert.equal((await cert('verify', at('next.crt'), '--key', at('next.key'), '--ca', at('ca.crt'))).exit, 0);
  assert.equal((await cert('verify', at('kept.crt'), '--key', at('client.key'), '--ca', at('ca.crt'))).exit, 0);
});

test('a verdict of no names the reason and the remedy of the gateway', async (t) => {
  const { at, pair, cert } = desk(t);
  await pair();
  await cert('ca', '--name', 'Other CA', '--key-type', 'ec-p256', '--out', at('other'));
  const refused = await cert('verify', at('client.crt'), '--key', at('client.key'), '--ca', at('other.crt'));
  assert.equal(refused.exit, 1);
  assert.match(refused.stderr, /UNKNOWN_ISSUER/);
  assert.match(refused.stderr, /Acme CA/);
  const mismatch = await cert('verify', at('client.crt'), '--key', at('ca.key'), '--ca', at('ca.crt'));
  assert.equal(mismatch.exit, 2);
});

test('inspect tells subject, days left, key and weaknesses, from PEM, DER and a Secret', async (t) => {
  const { at, read, pair, cert } = desk(t);
  await pair();
  openssl('x509', '-in', at('client.crt'), '-outform', 'DER', '-out', at('client.der'));
  const secret = await cert('secret', at('client.crt'), at('client.key'), '--name', 'edge-1-client-certificate');
  writeFileSync(at('secret.yaml'), secret.stdout);
  for (const files of [['client.crt', 'client.key'], ['client.der', 'client.key'], ['secret.yaml']]) {
    const shown = await cert('inspect', ...files.map(at), '--json');
    assert.equal(shown.exit, 0, shown.stderr);
    const { certificates } = JSON.parse(shown.stdout) as {
      certificates: { subject: string; daysLeft: number; privateKey: string | null; weaknesses: { code: string }[] }[];
    };
    assert.equal(certificates[0]?.subject, 'CN=edge-1');
    assert.ok((certificates[0]?.daysLeft ?? 0) >= 88);
    assert.ok(certificates[0]?.privateKey);
    assert.ok(certificates[0]?.weaknesses.some(({ code }) => code === 'EC_KEY'));
    assert.ok(!shown.stdout.includes(read('client.key').split('\n')[1] ?? 'missing'), 'no byte of the key is shown');
  }
  const shown = await cert('inspect', at('client.crt'), at('ca.key'));
  assert.match(shown.stdout, /belongs to none of these certificates/);
});

test('the printed Secret and kubectl line carry the pair, and a pair that does not match is refused', async (t) => {
  const { at, read, pair, cert } = desk(t);
  await pair();
  const secret = await cert(
    'secret',
    at('client.crt'),
    at('client.key'),
    '--name',
    's1',
    '--namespace',
    'ns1',
    '--json',
  );
  const { data } = JSON.parse(secret.stdout) as { data: Record<string, string> };
  assert.equal(Buffer.from(data['client.key'] ?? '', 'base64').toString(), read('client.key'));
  const line = await cert('secret', at('client.crt'), at('client.key'), '--name', 's1', '--kubectl');
  assert.match(line.stdout, /^kubectl create secret generic s1 .*--from-file=client\.crt=/);
  assert.ok(!line.stdout.includes('PRIVATE'));
  const wrong = await cert('secret', at('client.crt'), at('ca.key'), '--name', 's1');
  assert.equal(wrong.exit, 2);
  assert.match(wrong.stderr, /does not belong to "CN=edge-1"/);
});

test('chain puts leaf and intermediates in order, without what does not belong', async (t) => {
  const { at, read, pair, cert } = desk(t);
  await pair();
  await cert('ca', '--name', 'Stranger', '--key-type', 'ec-p256', '--out', at('stranger'));
  const chained = await cert('chain', at('stranger.crt'), at('ca.crt'), at('client.crt'), '--out', at('chain.crt'));
  assert.equal(chained.exit, 0, chained.stderr);
  assert.match(chained.stderr, /not part of this chain: .*Stranger/);
  assert.equal(read('chain.crt'), read('client.crt'), 'the root stays out: the gateway has it');
});
