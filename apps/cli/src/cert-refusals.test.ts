import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestAuthority } from '@sallyport/dev-env';
import { runCommand } from '../test/captured-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-refusals-'));
const at = (name: string) => join(folder, name);
const cert = (...args: string[]) => runCommand(['cert', ...args], { now: Date.now() });
const authority = ['--ca', at('ca.crt'), '--ca-key', at('ca.key')];
const secret = ['--passphrase-file', at('passphrase')];

before(async () => {
  const root = await TestAuthority.create('Acme CA');
  const intermediate = await TestAuthority.create('Acme issuing CA', { issuer: root });
  const { certificatePem, privateKeyPem } = await intermediate.client('edge-1');
  writeFileSync(at('ca.crt'), root.certificatePem);
  writeFileSync(at('ca.key'), root.pair.privateKeyPem);
  writeFileSync(at('client.crt'), certificatePem);
  writeFileSync(at('client.key'), privateKeyPem);
  writeFileSync(at('wrong-order.crt'), intermediate.certificatePem + certificatePem);
  writeFileSync(at('above.crt'), intermediate.certificatePem);
  writeFileSync(at('passphrase'), 'correct horse\n');
  const export12 = (crt: string, key: string, out: string) =>
    execFileSync('openssl', [
      ...['pkcs12', '-export', '-in', at(crt), '-inkey', at(key), '-certfile', at('above.crt')],
      ...['-passout', 'pass:correct horse', '-out', at(out)],
    ]);
  export12('client.crt', 'client.key', 'client.p12');
  export12('ca.crt', 'ca.key', 'ca.p12');
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('an encrypted PKCS#12 file is opened with the passphrase wherever a certificate is read', async () => {
  const pem = ['--ca', at('ca.crt')];
  const verified = await cert('verify', at('client.p12'), '--key', at('client.key'), ...pem, ...secret);
  assert.equal(verified.exit, 0, verified.stderr);
  const shown = await cert('secret', at('client.p12'), at('client.key'), '--name', 's', ...secret);
  assert.equal(shown.exit, 0, shown.stderr);
  const renewed = await cert('renew', at('client.p12'), ...authority, ...secret, '--out', at('renewed'));
  assert.equal(renewed.exit, 0, renewed.stderr);
  const ca = ['--ca', at('ca.p12'), '--ca-key', at('ca.key'), ...secret];
  const issued = await cert('client', '--name', 'e', ...ca, '--key-type', 'ec-p256', '--out', at('of-p12'));
  assert.equal(issued.exit, 0, issued.stderr);
});

test('the key of a PKCS#12 file is to be taken out, and no passphrase is asked for that was given', async () => {
  const p12 = ['--ca', at('ca.p12'), '--ca-key', at('ca.p12'), ...secret];
  const { exit, stderr } = await cert('client', '--name', 'edge-1', ...p12, '--out', at('none'));
  assert.equal(exit, 2);
  assert.match(stderr, /it is PKCS#12[\s\S]*remedy: Take it out: openssl pkcs12/);
});

test('a file in the wrong order is not the fault of the key', async () => {
  const given = ['--key', at('client.key'), '--ca', at('ca.crt')];
  const { exit, stderr } = await cert('verify', at('wrong-order.crt'), ...given);
  assert.equal(exit, 2);
  assert.match(stderr, /The client certificate is in place 2 of 2, and it must come first/);
});

test('a key that is kept has no other kind', async () => {
  const kept = ['--keep-key', at('client.key'), '--key-type', 'ec-p256', '--out', at('kept')];
  const { exit, stderr } = await cert('renew', at('client.crt'), ...authority, ...kept);
  assert.equal(exit, 2);
  assert.match(stderr, /--keep-key and --key-type exclude each other/);
});

test('--force never overwrites a key that the command reads, by no name of it', async () => {
  symlinkSync(at('ca.key'), at('soft.key'));
  linkSync(at('ca.key'), at('hard.key'));
  writeFileSync(at('both.crt'), readFileSync(at('client.crt'), 'utf8') + readFileSync(at('client.key'), 'utf8'));
  const before = ['ca.key', 'ca.crt', 'client.key', 'both.crt', 'passphrase'].map((name) => readFileSync(at(name)));
  const client = ['client', '--name', 'edge-1', ...authority, '--force', '--out'];
  for (const args of [
    [...client, at('ca')],
    [...client, at('soft')],
    [...client, at('hard')],
    ['renew', at('client.crt'), ...authority, '--keep-key', at('client.key'), '--force', '--out', at('ca')],
    ['renew', at('client.crt'), ...authority, '--force', '--out', at('ca')],
    ['renew', at('both.crt'), ...authority, '--force', '--out', at('both')],
    ['chain', at('both.crt'), at('above.crt'), '--force', '--out', at('both.crt')],
  ]) {
    const { exit, stderr } = await cert(...args);
    assert.equal(exit, 2, args.join(' '));
    assert.match(stderr, /read by this command, and is not overwritten by it/);
  }
  const now = ['ca.key', 'ca.crt', 'client.key', 'both.crt', 'passphrase'].map((name) => readFileSync(at(name)));
  assert.deepEqual(now, before);
});

test('certificate and key that are given the other way round are said to be', async () => {
  const { exit, stderr } = await cert('secret', at('client.key'), at('client.crt'), '--name', 's');
  assert.equal(exit, 2);
  assert.match(stderr, /client\.key holds the key and .*client\.crt the certificate: they are swapped/);
});

test('a byte order mark before the PEM is named', async () => {
  writeFileSync(at('bom.crt'), `\uFEFF${readFileSync(at('client.crt'), 'utf8')}`);
  const { exit, stderr } = await cert('inspect', at('bom.crt'));
  assert.equal(exit, 2);
  assert.match(stderr, /bom\.crt begins with a byte order mark[\s\S]*tail -c \+4/);
});
