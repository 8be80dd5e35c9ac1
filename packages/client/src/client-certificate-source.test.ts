import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { type Pair, TestAuthority } from '../test/certificates.ts';
import { ClientCertificateSource } from './client-certificate-source.ts';
import { CertificateFileError, oneLine } from './client-identity.ts';

const authority = new TestAuthority();
const first = authority.client('first');
const second = authority.client('second');
after(() => authority.remove());

interface Folder {
  readonly path: string;
  readonly files: { readonly certificatePath: string; readonly keyPath: string };
  write(pair: Partial<Pair>): void;
}

function folder(context: TestContext): Folder {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-pair-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  const files = { certificatePath: join(path, 'client.crt'), keyPath: join(path, 'client.key') };
  return {
    path,
    files,
    write({ certificate, key }) {
      if (certificate !== undefined) writeFileSync(files.certificatePath, certificate);
      if (key !== undefined) writeFileSync(files.keyPath, key);
    },
  };
}

/** Polling alone (hourly) or watching alone, so that a test shows which of them found the change. */
async function open(context: TestContext, files: Folder['files'], pollIntervalMs = 3_600_000) {
  const source = await ClientCertificateSource.open({ ...files, pollIntervalMs, settleMs: 20 });
  context.after(() => source.close());
  return source;
}

test('a pair in files is read with what identifies it', async (context) => {
  const { files, write } = folder(context);
  write(first);
  const { current } = await open(context, files);
  assert.equal(current.subject, 'CN=first');
  assert.equal(current.issuer, 'CN=Test CA');
  assert.match(current.fingerprint, /^[0-9a-f]{64}$/);
  assert.ok(current.notAfter > Date.now());
  assert.ok(!JSON.stringify(current).includes('PRIVATE KEY'));
});

test('files that are no pair at the start are an error that names them', async (context) => {
  const { files, write } = folder(context);
  const rejects = (expected: RegExp) =>
    assert.rejects(ClientCertificateSource.open(files), (error: unknown) => {
      assert.ok(error instanceof CertificateFileError);
      assert.match(error.message, expected);
      assert.notEqual(error.remedy, '');
      return true;
    });
  await rejects(/client\.crt cannot be read \(ENOENT\)/);
  write({ certificate: first.certificate, key: second.key });
  await rejects(/client\.key does not belong to the certificate in .*client\.crt \(CN=first\)/);
  write({ certificate: authority.certificate + first.certificate, key: first.key });
  await rejects(/has the client certificate in place 2/);
  write({ certificate: first.key });
  await rejects(/client\.crt holds no certificate/);
  write({ certificate: first.certificate.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA') });
  await rejects(/Certificate 1 of 1 in .*client\.crt does not parse/);
  write({ certificate: first.certificate, key: 'not a key' });
  await rejects(/client\.key holds no private key/);
  write({ key: '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n' });
  await rejects(/protected by a passphrase/);
});

test('replaced files are picked up', async (context) => {
  const { files, write } = folder(context);
  write(first);
  const source = await open(context, files);
  write(second);
  const [identity] = await once(source, 'change');
  assert.equal(identity.subject, 'CN=second');
  assert.equal(source.current, identity);
});

test('the symbolic link swap of a Kubernetes secret mount is picked up', async (context) => {
  const { path, files } = folder(context);
  const version = (name: string, pair: Pair) => {
    mkdirSync(join(path, name));
    writeFileSync(join(path, name, 'client.crt'), pair.certificate);
    writeFileSync(join(path, name, 'client.key'), pair.key);
  };
  version('..2026_01', first);
  symlinkSync('..2026_01', join(path, '..data'));
  symlinkSync('..data/client.crt', files.certificatePath);
  symlinkSync('..data/client.key', files.keyPath);
  const source = await open(context, files);
  assert.equal(source.current.subject, 'CN=first');

  version('..2026_02', second);
  symlinkSync('..2026_02', join(path, '..data_tmp'));
  renameSync(join(path, '..data_tmp'), join(path, '..data'));
  rmSync(join(path, '..2026_01'), { recursive: true });
  const [identity] = await once(source, 'change');
  assert.equal(identity.subject, 'CN=second');
});

test('a change that no notification tells of is found by the poll', async (context) => {
  const { path, files, write } = folder(context);
  const real = join(path, 'elsewhere');
  mkdirSync(real);
  writeFileSync(join(real, 'client.crt'), first.certificate);
  symlinkSync(join(real, 'client.crt'), files.certificatePath);
  write({ key: first.key });
  const source = await open(context, files, 30);
  const renewed = authority.client('renewed');
  writeFileSync(join(real, 'client.key'), renewed.key);
  rmSync(files.keyPath);
  symlinkSync(join(real, 'client.key'), files.keyPath);
  writeFileSync(join(real, 'client.crt'), renewed.certificate);
  const [identity] = await once(source, 'change');
  assert.equal(identity.subject, 'CN=renewed');
});

test('half a rotation keeps the last good pair and is told once, the other half completes it', async (context) => {
  const { files, write } = folder(context);
  write(first);
  const source = await open(context, files, 15);
  const told: string[] = [];
  source.on('rejected', (error) => told.push(error.message));
  write({ certificate: second.certificate });
  await once(source, 'rejected');
  assert.equal(source.current.subject, 'CN=first');
  // A different fault is told anew; by then the poll has seen the first one many times.
  write({ key: 'garbage' });
  await once(source, 'rejected');
  assert.deepEqual(
    told.map((message) => /does not belong|no private key/.exec(message)?.[0]),
    ['does not belong', 'no private key'],
  );
  assert.equal(source.current.subject, 'CN=first');
  write({ key: second.key });
  await once(source, 'change');
  assert.equal(source.current.subject, 'CN=second');
});

test('files that go away keep the last good pair', async (context) => {
  const { files, write } = folder(context);
  write(first);
  const source = await open(context, files, 15);
  rmSync(files.keyPath);
  const [error] = await once(source, 'rejected');
  assert.match(error.message, /client\.key cannot be read/);
  assert.equal(source.current.subject, 'CN=first');
});

test('names are written as RFC 4514 does, the narrowest part first, as everywhere else', () => {
  assert.equal(oneLine('C=DE\nO=Acme\nCN=edge-1'), 'CN=edge-1, O=Acme, C=DE');
});
