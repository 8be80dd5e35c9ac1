import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../test/captured-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-issuing-'));
const at = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(at(name), 'utf8');
const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
const cert = (...args: string[]) => runCommand(['cert', ...args], { now: Date.now() });
const signed = (verb: readonly string[], ...more: string[]) =>
  cert(...verb, '--ca', at('ca.crt'), '--ca-key', at('ca.key'), ...more);
const request = (name: string, ...more: string[]) =>
  openssl('req', '-new', '-key', at('client.key'), '-subj', '/CN=edge-2', ...more, '-out', at(name));

before(async () => {
  const ec = ['--key-type', 'ec-p256'];
  assert.equal((await cert('ca', '--name', 'Acme CA', '--days', '30', ...ec, '--out', at('ca'))).exit, 0);
  const made = await signed(['client', '--name', 'edge-1', ...ec], '--days', '7', '--out', at('client'));
  assert.equal(made.exit, 0, made.stderr);
  writeFileSync(at('passphrase'), 'correct horse\n');
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('a certificate that ends with its CA, before its days are over, says so', async () => {
  const client = await signed(['client', '--name', 'a', '--key-type', 'ec-p256'], '--out', at('a'));
  assert.match(client.stderr, /Valid until \S+ \S+ only, not for 90 days: its CA "CN=Acme CA" ends then\./);
  request('names.csr', '-addext', 'subjectAltName=DNS:edge-2');
  const csr = await signed(['sign', at('names.csr')], '--days', '31', '--out', at('b.crt'), '--json');
  assert.match(csr.stderr, /"code":"ENDS_WITH_CA","message":"Valid until [^"]* not for 31 days/);
  const renewed = await signed(['renew', at('client.crt')], '--out', at('c'));
  assert.match(renewed.stderr, /not for 90 days/);
  const within = await signed(['sign', at('names.csr')], '--days', '29', '--out', at('d.crt'));
  assert.doesNotMatch(within.stderr, /Valid until/);
});

test('a request without a name, one in DER, and what is not granted', async () => {
  request(
    'plain.csr',
    '-outform',
    'DER',
    '-addext',
    'extendedKeyUsage=clientAuth,serverAuth',
    '-addext',
    '1.2.3.4=ASN1:NULL',
  );
  const { exit, stderr } = await signed(['sign', at('plain.csr')], '--days', '7', '--out', at('plain.crt'));
  assert.equal(exit, 0, stderr);
  assert.match(stderr, /has no subject alternative name[^\n]*"sallyport cert csr --name NAME"/);
  assert.match(stderr, /Not granted: the purpose serverAuth\.\n/);
  assert.match(stderr, /Not granted: the extension unknown \(1\.2\.3\.4\)\.\n/);
  assert.match(stderr, /Java delegate reads RSA keys only/);
  const other = await signed(['sign', at('client.crt')], '--out', at('other.crt'));
  assert.equal(other.exit, 2);
  assert.match(other.stderr, /holds a certificate, and no signing request/);
});

test('a renewal keeps the kind of the key and the purposes, and warns where no name is', async () => {
  writeFileSync(at('both.cnf'), 'extendedKeyUsage=clientAuth,serverAuth\nkeyUsage=digitalSignature\n');
  request('both.csr');
  const from = ['-req', '-in', at('both.csr'), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-extfile', at('both.cnf')];
  openssl('x509', ...from, '-CAcreateserial', '-days', '5', '-out', at('both.crt'));
  const renewed = await signed(['renew', at('both.crt')], '--days', '7', '--out', at('both-2'));
  assert.equal(renewed.exit, 0, renewed.stderr);
  assert.equal(createPrivateKey(read('both-2.key')).asymmetricKeyType, 'ec');
  assert.match(
    openssl('x509', '-in', at('both-2.crt'), '-noout', '-ext', 'extendedKeyUsage'),
    /Client.*, TLS Web Server/,
  );
  assert.match(renewed.stderr, /Give the delegate's name with --name/);
  openssl('crl2pkcs7', '-nocrl', '-certfile', at('both.crt'), '-out', at('both.p7b'));
  assert.equal((await signed(['renew', at('both.p7b')], '--days', '7', '--out', at('both-p7'))).exit, 0);
  assert.match(
    (await signed(['renew', at('client.key')], '--out', at('none'))).stderr,
    /client\.key holds no certificate/,
  );
  const named = await signed(['renew', at('both.crt')], '--name', 'edge-2', '--days', '7', '--out', at('both-3'));
  assert.doesNotMatch(named.stderr, /--name/);
  openssl('ec', '-in', at('client.key'), '-aes128', '-passout', 'pass:x', '-out', at('kept.key'));
  const kept = await signed(['renew', at('client.crt'), '--keep-key', at('kept.key')], '--out', at('kept'));
  assert.equal(kept.exit, 2);
  assert.match(kept.stderr, /kept\.key is encrypted[\s\S]*openssl pkey -in/);
});

test('the key of a CA may lie in every form, and what is wrong with it names the file of the CA', async () => {
  const to = ['-passout', 'pass:correct horse', '-out'];
  openssl('ec', '-in', at('ca.key'), '-aes256', ...to, at('old.key'));
  openssl('pkcs8', '-topk8', '-in', at('ca.key'), '-v2', 'des3', '-outform', 'DER', ...to, at('des3.der'));
  openssl('x509', '-in', at('ca.crt'), '-outform', 'DER', '-out', at('ca.der'));
  for (const key of ['old.key', 'des3.der']) {
    const sign = (...more: string[]) =>
      cert(
        'sign',
        at('names.csr'),
        '--ca',
        at('ca.der'),
        '--ca-key',
        at(key),
        '--days',
        '7',
        '--out',
        at('x.crt'),
        ...more,
      );
    const locked = await sign();
    assert.equal(locked.exit, 2);
    assert.match(locked.stderr, new RegExp(`${key} is encrypted[\\s\\S]*--passphrase-file`));
    assert.ok(!existsSync(at('x.crt')));
    assert.equal((await sign('--passphrase-file', at('passphrase'))).exit, 0, key);
    rmSync(at('x.crt'));
  }
  writeFileSync(at('damaged.key'), read('ca.key').replace(/\n.{8}/, '\nAAAAAAAA'));
  const damaged = await cert(
    'sign',
    at('names.csr'),
    '--ca',
    at('ca.crt'),
    '--ca-key',
    at('damaged.key'),
    '--out',
    at('x.crt'),
  );
  assert.match(damaged.stderr, /damaged\.key: key 1 cannot be read/);
  assert.doesNotMatch(damaged.stderr, /client\.key/);
});

test('verify reads what is not PEM, and an encrypted key with its passphrase', async () => {
  openssl('x509', '-in', at('client.crt'), '-outform', 'DER', '-out', at('client.der'));
  openssl('ec', '-in', at('client.key'), '-aes256', '-passout', 'pass:correct horse', '-out', at('locked.key'));
  const verify = (...more: string[]) =>
    cert('verify', at('client.der'), '--key', at('locked.key'), '--ca', at('ca.der'), ...more);
  assert.match((await verify()).stderr, /is encrypted[\s\S]*--passphrase-file/);
  const admitted = await verify('--passphrase-file', at('passphrase'), '--json');
  assert.equal(admitted.exit, 0, admitted.stderr);
});

test('a Secret is not made of what a delegate cannot read, and what only the Java delegate cannot is warned of', async () => {
  const secret = (...files: string[]) => cert('secret', ...files.map(at), '--name', 'x');
  const ec = await secret('client.crt', 'client.key');
  assert.match(ec.stderr, /EC key[^\n]*classic Java delegate can't read/);
  assert.match((await secret('client.crt', 'locked.key')).stderr, /locked\.key is encrypted[\s\S]*openssl pkey -in/);
  openssl('ec', '-in', at('client.key'), '-outform', 'DER', '-out', at('key.der'));
  assert.match(
    (await secret('client.crt', 'key.der')).stderr,
    /is DER, and delegates read PEM[\s\S]*openssl pkey -inform DER/,
  );
  assert.match((await secret('ca.crt', 'ca.key')).stderr, /is a CA: its key must not lie in a cluster/);
  writeFileSync(at('reversed.crt'), read('ca.crt') + read('client.crt'));
  assert.match((await secret('reversed.crt', 'client.key')).stderr, /in place 2 of 2[\s\S]*sallyport cert chain/);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(at('rsa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
  openssl(
    'req',
    '-x509',
    '-key',
    at('rsa.key'),
    '-subj',
    '/CN=r',
    '-addext',
    'basicConstraints=CA:FALSE',
    '-out',
    at('rsa.crt'),
  );
  assert.match((await secret('rsa.crt', 'rsa.key')).stderr, /is PKCS#1[^\n]*openssl pkcs8 -topk8 -nocrypt/);
});

test('kubectl is given PEM files only, and never a key as client.crt', async () => {
  const line = (...files: string[]) => cert('secret', ...files.map(at), '--name', 'x', '--kubectl');
  assert.equal((await line('client.crt', 'client.key')).exit, 0);
  writeFileSync(at('both.pem'), read('client.crt') + read('client.key'));
  for (const file of ['both.pem', 'client.der']) {
    const { exit, stdout, stderr } = await line(file, 'client.key');
    assert.deepEqual([exit, stdout], [2, ''], file);
    assert.match(stderr, /kubectl would take it as it is[\s\S]*sallyport cert chain/, file);
  }
  assert.equal((await cert('secret', at('both.pem'), at('both.pem'), '--name', 'x')).exit, 0);
});

test('with a link that leads nowhere in the place of the key nothing is written', async () => {
  symlinkSync(at('elsewhere'), at('linked.key'));
  const linked = await signed(['client', '--name', 'a', '--key-type', 'ec-p256'], '--out', at('linked'));
  assert.equal(linked.exit, 6);
  assert.ok(!existsSync(at('linked.crt')) && !existsSync(at('elsewhere')));
});
