import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
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

const DAY = 86_400_000;

interface Flaw {
  readonly code: string;
}

interface Report {
  readonly certificates: readonly {
    readonly subject: string;
    readonly privateKey: string | null;
    readonly fingerprint: string;
    readonly fingerprintSha1: string;
    readonly publicKeySha256: string;
    readonly weaknesses: readonly Flaw[];
  }[];
  readonly keys: readonly {
    readonly locked: boolean;
    readonly algorithm: string | null;
    readonly weaknesses: readonly Flaw[];
  }[];
  readonly keysWithoutCertificate: readonly unknown[];
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
  assert.match(text.stdout, /Purpose: +TLS client/);
});

test('a passphrase that is wrong or missing is told apart from a file that is not readable at all', async () => {
  const wrong = await inspect(at('new.p12'), '--passphrase-file', at('wrong'));
  assert.equal(wrong.exit, 2);
  assert.match(wrong.stderr, /the passphrase is wrong/);
  assert.match((await inspect(at('new.p12'))).stderr, /protected by a passphrase[\s\S]*--passphrase-file/);
  writeFileSync(at('cut.p12'), readFileSync(at('new.p12')).subarray(0, 700));
  assert.match((await inspect(at('cut.p12'))).stderr, /cannot be read as a PKCS#12 file/);
});

test('an RC2 file and one without a key name the openssl command that helps', async () => {
  const legacy = await inspect(at('legacy.p12'), '--passphrase-file', at('right'));
  assert.equal(legacy.exit, 2);
  assert.match(legacy.stderr, /\(RC2\)[\s\S]*openssl pkcs12 -legacy -in \S+legacy\.p12/);
  const nokey = await inspect(at('nokey.p12'), '--passphrase-file', at('right'));
  assert.match(nokey.stderr, /no private key[\s\S]*openssl pkcs12 -in \S+nokey\.p12 -nokeys/);
});

/** The report of one key file beside its certificate. */
async function beside(key: string, ...more: string[]) {
  const outcome = await inspect(at('client.crt'), at(key), ...more, '--json');
  const { certificates, keys } = JSON.parse(
    outcome.exit === 0 ? outcome.stdout : '{"certificates":[],"keys":[]}',
  ) as Report;
  return {
    ...outcome,
    owned: certificates[0]?.privateKey ?? null,
    key: keys[0],
    codes: keys[0]?.weaknesses.map(({ code }) => code),
  };
}

test('an encrypted key is said to be so, and how to give its passphrase; with it the pair is judged, also in the old form', async () => {
  const to = ['-passout', 'pass:correct horse', '-out'];
  openssl('pkcs8', '-topk8', '-in', at('client.key'), ...to, at('locked.key'));
  openssl('pkcs8', '-topk8', '-in', at('client.key'), '-outform', 'DER', ...to, at('locked.der'));
  openssl('ec', '-in', at('client.key'), '-aes128', ...to, at('old.key'));
  assert.match(readFileSync(at('old.key'), 'utf8'), /Proc-Type: 4,ENCRYPTED/);
  for (const file of ['locked.key', 'locked.der', 'old.key']) {
    const text = await inspect(at('client.crt'), at(file));
    assert.equal(text.exit, 0, text.stderr);
    assert.match(text.stdout, /^Key: +not known: the key in \S+ is encrypted$/m, file);
    assert.match(text.stdout, /encrypted[^\n]*give that with --passphrase-file\nrefused: [^\n]*openssl pkey/, file);
    assert.doesNotMatch(text.stdout, /belongs to none|not among/);
    const locked = await beside(file);
    assert.deepEqual([locked.owned, locked.key?.locked, locked.codes], [null, true, ['KEY_ENCRYPTED']], file);
    const open = await beside(file, '--passphrase-file', at('right'));
    assert.match(open.owned ?? '', new RegExp(file), file);
    assert.deepEqual([open.key?.locked, open.key?.algorithm], [false, 'EC P-256'], file);
    const wrong = await beside(file, '--passphrase-file', at('wrong'));
    assert.equal(wrong.exit, 2, file);
    assert.match(wrong.stderr, /the passphrase (does not open|is wrong)/, file);
  }
});

test('a key is read in every form, and what the Java delegate or none can read is named with the command that mends it', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const pair = (name: string, options: { type: 'pkcs1' | 'pkcs8'; format: 'pem' | 'der' }) =>
    writeFileSync(
      at(name),
      options.format === 'pem'
        ? privateKey.export({ ...options, format: 'pem' })
        : privateKey.export({ ...options, format: 'der' }),
    );
  pair('pkcs1.key', { type: 'pkcs1', format: 'pem' });
  pair('pkcs1.der', { type: 'pkcs1', format: 'der' });
  pair('pkcs8.key', { type: 'pkcs8', format: 'pem' });
  pair('pkcs8.der', { type: 'pkcs8', format: 'der' });
  openssl('ec', '-in', at('client.key'), '-outform', 'DER', '-out', at('sec1.der'));
  openssl('ec', '-in', at('client.key'), '-out', at('sec1.key'));
  openssl(
    'req',
    '-x509',
    '-key',
    at('pkcs8.key'),
    '-subj',
    '/CN=rsa',
    '-addext',
    'basicConstraints=CA:FALSE',
    '-out',
    at('rsa.crt'),
  );
  const expected: Record<string, [crt: string, algorithm: string, codes: string[]]> = {
    'pkcs8.key': ['rsa.crt', 'RSA 1024', []],
    'pkcs1.key': ['rsa.crt', 'RSA 1024', ['KEY_PKCS1']],
    'pkcs1.der': ['rsa.crt', 'RSA 1024', ['KEY_DER']],
    'pkcs8.der': ['rsa.crt', 'RSA 1024', ['KEY_DER']],
    'sec1.der': ['client.crt', 'EC P-256', ['KEY_DER']],
    'sec1.key': ['client.crt', 'EC P-256', []],
  };
  for (const [file, [certificate, algorithm, codes]] of Object.entries(expected)) {
    const shown = await inspect(at(certificate), at(file), '--json');
    assert.equal(shown.exit, 0, shown.stderr);
    const { certificates, keys } = JSON.parse(shown.stdout) as Report;
    assert.match(certificates[0]?.privateKey ?? '', new RegExp(file));
    assert.deepEqual([keys[0]?.algorithm, keys[0]?.weaknesses.map(({ code }) => code)], [algorithm, codes], file);
  }
  assert.match(
    (await inspect(at('rsa.crt'), at('pkcs1.key'))).stdout,
    /weak: [^\n]*openssl pkcs8 -topk8 -nocrypt -in \S+pkcs1\.key/,
  );
});

test('a key that is not the one of the certificate is the first thing that is wrong', async () => {
  const shown = await inspect(at('client.crt'), at('pkcs8.key'), '--json');
  const { certificates, keysWithoutCertificate } = JSON.parse(shown.stdout) as Report;
  assert.deepEqual(certificates[0]?.weaknesses[0]?.code, 'KEY_MISMATCH');
  assert.equal(keysWithoutCertificate.length, 1);
  assert.match(
    (await inspect(at('client.crt'), at('pkcs8.key'))).stdout,
    /refused: The key in \S+ does not belong to "CN=edge-1"/,
  );
});

test('a signing request is shown with what it asks for, PEM or DER, and PKCS#7 with its certificates', async () => {
  openssl(
    'req',
    '-new',
    '-key',
    at('client.key'),
    '-subj',
    '/CN=edge-9',
    '-addext',
    'subjectAltName=DNS:edge-9',
    '-out',
    at('client.csr'),
  );
  openssl('req', '-in', at('client.csr'), '-outform', 'DER', '-out', at('csr.der'));
  for (const file of ['client.csr', 'csr.der']) {
    const { stdout, stderr, exit } = await inspect(at(file), at('client.key'));
    assert.equal(exit, 0, stderr);
    assert.match(stdout, /^Subject: +CN=edge-9\nNames: +dns:edge-9\nKind: +signing request \(PKCS#10\), EC P-256$/m);
    assert.match(stdout, /^Signature: +by its own key$/m);
    assert.match(stdout, /client\.key, key 1: [^\n]*belongs to \S+, certificate request/);
  }
  const from = ['-nocrl', '-certfile', at('client.crt'), '-certfile', at('above.crt')];
  openssl('crl2pkcs7', ...from, '-out', at('all.p7b'));
  openssl('crl2pkcs7', ...from, '-outform', 'DER', '-out', at('all.p7c'));
  for (const file of ['all.p7b', 'all.p7c']) {
    const shown = await inspect(at(file), '--json');
    assert.equal(shown.exit, 0, shown.stderr);
    const subjects = (JSON.parse(shown.stdout) as Report).certificates.map(({ subject }) => subject);
    assert.deepEqual(subjects.sort(), ['CN=Acme CA', 'CN=Acme issuing CA', 'CN=edge-1'], file);
  }
});

test('the fingerprints are those of openssl', async () => {
  const { certificates } = JSON.parse((await inspect(at('client.crt'), '--json')).stdout) as Report;
  const of = (digest: string) =>
    openssl('x509', '-in', at('client.crt'), '-noout', '-fingerprint', digest)
      .replace(/^.*=|:|\n/g, '')
      .toLowerCase();
  const spki = new X509Certificate(readFileSync(at('client.crt'))).publicKey.export({ type: 'spki', format: 'der' });
  assert.deepEqual(
    [certificates[0]?.fingerprint, certificates[0]?.fingerprintSha1, certificates[0]?.publicKeySha256],
    [of('-sha256'), of('-sha1'), createHash('sha256').update(spki).digest('hex')],
  );
});

test('dates in the past and in the future are told as such', async () => {
  const { validToDate, validFromDate } = new X509Certificate(readFileSync(at('client.crt')));
  const validAt = async (moment: number) =>
    /^Valid: .*\((.*)\)$/m.exec((await runCommand(['cert', 'inspect', at('client.crt')], { now: moment })).stdout)?.[1];
  assert.equal(await validAt(validToDate.getTime() + 2 * DAY), 'expired 2 days ago');
  assert.equal(await validAt(validFromDate.getTime() - 3 * DAY), 'not valid yet: becomes valid in 3 days');
  assert.equal(await validAt(validToDate.getTime() - 3 * DAY), '3 days left');
  assert.equal(await validAt(validToDate.getTime() - 3_600_000), '60 min left');
});

test('a file that is something else is an error that says what it is and what to do, and no empty answer', async () => {
  const pem = readFileSync(at('client.crt'), 'utf8');
  const block = (label: string) => `-----BEGIN ${label}-----\nMAA=\n-----END ${label}-----\n`;
  const files: Record<string, [content: string | Buffer, said: RegExp]> = {
    empty: ['', /is empty[\s\S]*remedy: Name a certificate/],
    'notes.txt': ['hello\n', /holds neither PEM, DER/],
    crl: [block('X509 CRL'), /revocation list[\s\S]*openssl crl/],
    public: [block('PUBLIC KEY'), /holds a public key/],
    trusted: [block('TRUSTED CERTIFICATE'), /OpenSSL's own form[\s\S]*openssl x509 -in/],
    ssh: [block('OPENSSH PRIVATE KEY'), /OpenSSH's own form[\s\S]*ssh-keygen/],
    'store.jks': [Buffer.from('feedfeed00000002', 'hex'), /Java key store[\s\S]*keytool -importkeystore/],
    'utf16.crt': [Buffer.from(`\ufeff${pem}`, 'utf16le'), /UTF-16[\s\S]*Set-Content -Encoding ascii/],
    'indented.crt': [pem.replaceAll(/^/gm, '  '), /no PEM block/],
    'one-line.crt': [pem.replaceAll('\n', '\\n'), /no PEM block[\s\S]*has to become a line break/],
    'cut.crt': [pem.slice(0, 300), /has no END line/],
    'hole.crt': [pem.replace(/\n(.{20})/, '\n'), /certificate 1 cannot be read/],
    'damaged.key': [block('PRIVATE KEY'), /key 1 cannot be read as a private key/],
    'damaged.csr': [block('CERTIFICATE REQUEST'), /certificate request 1 cannot be read/],
    'damaged.p7b': [block('PKCS7'), /PKCS#7 cannot be read[\s\S]*openssl pkcs7 -print_certs/],
    'value.b64': [Buffer.from(pem).toString('base64'), /is base64[\s\S]*base64 -d/],
    'body.b64': [pem.replaceAll(/-----.*-----\n/g, ''), /is base64 without PEM marks[\s\S]*END line/],
    'cut.der': [new X509Certificate(pem).raw.subarray(0, 200), /begins as DER[\s\S]*openssl asn1parse/],
  };
  for (const [name, [content, said]] of Object.entries(files)) {
    writeFileSync(at(name), content);
    const { exit, stdout, stderr } = await inspect(at(name));
    assert.equal(exit, 2, name);
    assert.equal(stdout, '', name);
    assert.match(stderr, said, name);
    assert.doesNotMatch(stderr, /routines|error:[0-9A-F]{8}/, name);
  }
  const missing = await inspect(at('nowhere'), '--json');
  assert.deepEqual([missing.exit, JSON.parse(missing.stderr).error.code], [2, 'USAGE']);
});

test('a Secret is read in YAML of every style and in JSON, with several keys, and a value encoded twice is named', async () => {
  const [crt, key] = ['client.crt', 'client.key'].map((name) => readFileSync(at(name), 'utf8'));
  const [crt64, key64] = [btoa(crt ?? ''), btoa(key ?? '')];
  const head = 'apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n';
  const folded = (text: string) => (text.match(/.{1,60}/g) ?? []).map((line) => `    ${line}\n`).join('');
  const plain = (text = '') => text.trimEnd().replaceAll(/^/gm, '    ');
  const data = {
    'tls.crt': crt64,
    'tls.key': key64,
    'ca.crt': btoa(readFileSync(at('above.crt'), 'utf8')),
    note: btoa('x'),
  };
  const styles = {
    block: `${head}data:\n  tls.crt: ${crt64}\n  tls.key: "${key64}" # the key\n  ca.crt: ${data['ca.crt']}\n  password: aHVudGVyMg==\n`,
    flow: `${head}data: {tls.crt: ${crt64}, tls.key: '${key64}', ca.crt: ${data['ca.crt']}}\n`,
    folded: `${head}data:\n  tls.crt: >-\n${folded(crt64)}  tls.key: |\n${folded(key64)}  ca.crt: |-\n${folded(data['ca.crt'])}`,
    plain: `${head}stringData:\n  tls.crt: |\n${plain(crt)}\n  tls.key: |-\n${plain(key)}\n  ca.crt: |\n${plain(readFileSync(at('above.crt'), 'utf8'))}\n`,
    json: JSON.stringify({ apiVersion: 'v1', kind: 'Secret', data }, null, 4),
    list: `apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  data:\n    tls.crt: ${crt64}\n    tls.key: ${key64}\n    ca.crt: ${data['ca.crt']}\n`,
    text: JSON.stringify({
      kind: 'Secret',
      stringData: { 'tls.crt': crt, 'tls.key': key, 'ca.crt': readFileSync(at('above.crt'), 'utf8') },
    }),
  };
  for (const [style, text] of Object.entries(styles)) {
    writeFileSync(at('secret'), text);
    const shown = await inspect(at('secret'), '--json');
    assert.equal(shown.exit, 0, `${style}: ${shown.stderr}`);
    const { certificates, keys } = JSON.parse(shown.stdout) as Report;
    assert.deepEqual(
      certificates.map(({ subject }) => subject),
      ['CN=edge-1', 'CN=Acme issuing CA', 'CN=Acme CA'],
      style,
    );
    assert.match(certificates[0]?.privateKey ?? '', /tls\.key key 1$/, style);
    assert.equal(keys.length, 1, style);
  }
  writeFileSync(at('twice.yaml'), `${head}data:\n  client.crt: ${btoa(crt64)}\n`);
  assert.match((await inspect(at('twice.yaml'))).stderr, /client\.crt of the Secret is encoded in base64 twice/);
  writeFileSync(at('none.yaml'), `${head}data:\n  password: aHVudGVyMg==\n`);
  assert.equal((await inspect(at('none.yaml'))).exit, 2);
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
  assert.match(shown.stdout, /secret\.yaml, client\.crt certificate 1[\s\S]*CN=edge-1/);
});
