import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestAuthority } from '@sallyport/dev-env';
import { runCommand } from '../test/captured-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-inspect-'));
const at = (name: string) => join(folder, name);
const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
const inspect = (...args: string[]) => runCommand(['cert', 'inspect', ...args], { now: Date.now() });

interface Report {
  readonly certificates: readonly { readonly subject: string; readonly privateKey: string | null }[];
  readonly chain: { readonly inOrder?: boolean; readonly problem?: string } | null;
}

before(async () => {
  const root = await TestAuthority.create('Acme CA');
  const intermediate = await TestAuthority.create('Acme issuing CA', { issuer: root });
  const { certificatePem, privateKeyPem } = await intermediate.client('edge-1');
  const other = await intermediate.client('edge-2');
  writeFileSync(at('client.crt'), certificatePem);
  writeFileSync(at('client.key'), privateKeyPem);
  writeFileSync(at('other.crt'), other.certificatePem);
  writeFileSync(at('above.crt'), intermediate.certificatePem + root.certificatePem);
  writeFileSync(at('right'), 'correct horse\n');
  writeFileSync(at('wrong'), 'battery staple\n');
  const from = ['-in', at('client.crt'), '-certfile', at('above.crt'), '-passout', 'pass:correct horse'];
  openssl('pkcs12', '-export', ...from, '-inkey', at('client.key'), '-out', at('new.p12'));
  openssl('pkcs12', '-export', '-legacy', ...from, '-inkey', at('client.key'), '-out', at('legacy.p12'));
  openssl('pkcs12', '-export', '-nokeys', ...from, '-out', at('nokey.p12'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('a PKCS#12 file is opened with its passphrase: certificate, key and chain, and no byte of the key', async () => {
  const shown = await inspect(at('new.p12'), '--passphrase-file', at('right'), '--json');
  assert.equal(shown.exit, 0, shown.stderr);
  const { certificates, chain } = JSON.parse(shown.stdout) as Report;
  assert.deepEqual(
    certificates.map(({ subject, privateKey }) => [subject, privateKey !== null]),
    [
      ['CN=edge-1', true],
      ['CN=Acme issuing CA', false],
      ['CN=Acme CA', false],
    ],
  );
  assert.equal(chain?.inOrder, true);
  const [, ...lines] = readFileSync(at('client.key'), 'utf8').trim().split('\n').slice(0, -1);
  assert.ok(lines.length > 0 && lines.every((line) => !shown.stdout.includes(line)));
  const text = await inspect(at('new.p12'), '--passphrase-file', at('right'));
  assert.match(text.stdout, /Purpose: TLS client/);
});

test('a passphrase that is wrong or missing is told apart from a file that is not readable at all', async () => {
  const wrong = await inspect(at('new.p12'), '--passphrase-file', at('wrong'));
  assert.equal(wrong.exit, 2);
  assert.match(wrong.stderr, /the passphrase is wrong/);
  assert.match((await inspect(at('new.p12'))).stderr, /protected by a passphrase[\s\S]*--passphrase-file/);
  writeFileSync(at('cut.p12'), readFileSync(at('new.p12')).subarray(0, 700));
  assert.match((await inspect(at('cut.p12'))).stderr, /cannot be read as a PKCS#12 file/);
});

test('an RC2 or 3DES file and one without a key name the openssl command that helps', async () => {
  const legacy = await inspect(at('legacy.p12'), '--passphrase-file', at('right'));
  assert.equal(legacy.exit, 2);
  assert.match(legacy.stderr, /RC2 or 3DES[\s\S]*openssl pkcs12 -legacy -in \S+legacy\.p12/);
  const nokey = await inspect(at('nokey.p12'), '--passphrase-file', at('right'));
  assert.match(nokey.stderr, /no private key[\s\S]*openssl pkcs12 -in \S+nokey\.p12 -nokeys/);
});

test('a key with a passphrase is told to belong to its certificate', async () => {
  openssl('pkey', '-in', at('client.key'), '-aes256', '-passout', 'pass:correct horse', '-out', at('locked.key'));
  const keyOf = async (...more: string[]) => {
    const { stdout } = await inspect(at('client.crt'), at('locked.key'), ...more, '--json');
    return (JSON.parse(stdout) as Report).certificates[0]?.privateKey ?? null;
  };
  assert.equal(await keyOf(), null);
  assert.match((await keyOf('--passphrase-file', at('right'))) ?? '', /locked\.key/);
});

test('two client certificates side by side are shown, and said to be no chain', async () => {
  const shown = await inspect(at('client.crt'), at('other.crt'));
  assert.equal(shown.exit, 0, shown.stderr);
  assert.match(shown.stdout, /CN=edge-1[\s\S]*CN=edge-2[\s\S]*Chain: none\./);
});

test('a Secret with stringData is looked into', async () => {
  const pem = readFileSync(at('client.crt'), 'utf8').trimEnd().replaceAll(/^/gm, '    ');
  writeFileSync(
    at('secret.yaml'),
    `apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData:\n  client.crt: |\n${pem}\n`,
  );
  const shown = await inspect(at('secret.yaml'));
  assert.equal(shown.exit, 0, shown.stderr);
  assert.match(shown.stdout, /secret\.yaml, stringData certificate 1[\s\S]*CN=edge-1/);
});
