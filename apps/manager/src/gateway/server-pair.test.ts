import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DevManager, rawTls, TestAuthority } from '@sallyport/dev-env';
import { type IssuedPair, issueServerCertificate } from '@sallyport/trust';
import { readServerPair } from './server-pair.ts';

const DEADLINE_MS = 20_000;

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-server-pair-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function serverPair(authority: TestAuthority): Promise<IssuedPair> {
  return issueServerCertificate({
    authority: authority.pair,
    dnsNames: ['localhost', '*.agent.localhost'],
    now: new Date(),
  });
}

function write(folder: string, pair: IssuedPair): { certificateFile: string; keyFile: string } {
  mkdirSync(folder, { recursive: true });
  const files = { certificateFile: join(folder, 'server.crt'), keyFile: join(folder, 'server.key') };
  writeFileSync(files.certificateFile, pair.certificatePem);
  writeFileSync(files.keyFile, pair.privateKeyPem, { mode: 0o600 });
  return files;
}

const fingerprintOf = (pair: IssuedPair) => new X509Certificate(pair.certificatePem).fingerprint256;

async function presented(port: number, serverName: string): Promise<string | undefined> {
  const socket = await rawTls({ port, serverName });
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
  socket.destroy();
  return fingerprint;
}

test('a pair that does not fit is refused by the name of the file, and the key is not shown', async (t) => {
  const folder = folderOf(t);
  const authority = await TestAuthority.create('Server CA');
  const [one, other] = [await serverPair(authority), await serverPair(authority)];
  const files = write(folder, one);
  assert.equal(readServerPair(files).key, one.privateKeyPem);
  writeFileSync(files.keyFile, other.privateKeyPem);
  assert.throws(() => readServerPair(files), /server\.key does not belong to the certificate in .*server\.crt/);
  writeFileSync(files.keyFile, one.privateKeyPem.slice(0, 120));
  assert.throws(
    () => readServerPair(files),
    (error) =>
      error instanceof Error &&
      /server\.key holds no private key/.test(error.message) &&
      !error.message.includes(one.privateKeyPem.slice(40, 80)),
  );
  assert.throws(
    () => readServerPair({ ...files, certificateFile: join(folder, 'gone.crt') }),
    /cannot read .*gone\.crt: ENOENT/,
  );
});

test('a replaced server certificate is used by new connections of both listeners and every endpoint; a broken one is not', async (t) => {
  const folder = folderOf(t);
  const authority = await TestAuthority.create('Server CA');
  const clients = await TestAuthority.create('Acme CA');
  const [first, second, third] = [
    await serverPair(authority),
    await serverPair(authority),
    await serverPair(authority),
  ];
  // As a mounted Secret has it: the files are links through one folder that is swapped as a whole.
  write(join(folder, 'one'), first);
  symlinkSync('one', join(folder, 'data'));
  const files = { certificateFile: join(folder, 'data', 'server.crt'), keyFile: join(folder, 'data', 'server.key') };
  const dev = await DevManager.start({
    environment: { SALLYPORT_TLS_CERTIFICATE_FILE: files.certificateFile, SALLYPORT_TLS_KEY_FILE: files.keyFile },
    serverCa: authority.certificatePem,
  });
  t.after(() => dev.stop());
  await dev.account('acme', { caCertificates: clients.certificatePem, mode: 'LOOSE' });
  const { publicAddress, mtlsAddress } = dev.manager;
  assert.equal(await presented(mtlsAddress.port, 'acme.agent.localhost'), fingerprintOf(first));
  const live = await rawTls({ port: publicAddress.port, serverName: 'localhost' });

  write(join(folder, 'two'), second);
  symlinkSync('two', join(folder, 'data.new'));
  renameSync(join(folder, 'data.new'), join(folder, 'data'));
  await until(async () => (await presented(publicAddress.port, 'localhost')) === fingerprintOf(second));
  assert.equal(await presented(mtlsAddress.port, 'acme.agent.localhost'), fingerprintOf(second));
  assert.equal(await presented(mtlsAddress.port, 'nobody.agent.localhost'), fingerprintOf(second));
  assert.equal(live.destroyed, false, 'a live connection keeps what it has');
  live.destroy();

  writeFileSync(join(folder, 'two', 'server.key'), third.privateKeyPem);
  await until(async () => dev.log().includes('the last good one stays in use'));
  assert.equal(await presented(publicAddress.port, 'localhost'), fingerprintOf(second));
  assert.ok(!dev.log().includes(third.privateKeyPem.slice(60, 100)));
});

async function until(done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await done())) {
    if (Date.now() > deadline) assert.fail('it did not happen in time');
    await sleep(50);
  }
}
