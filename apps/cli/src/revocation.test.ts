import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DevAccount, DevAgent, DevManager, KeptConnection, TestAuthority } from '@sallyport/dev-env';
import { type IssuedPair, readPemBlocks } from '@sallyport/trust';
import { type Outcome, type RunOptions, runCommand } from '../test/captured-terminal.ts';

// Keeping clients of one's own CA out, as a person does it: CRLs, denied certificates, allowed identities, pins.
let manager: DevManager;
let folder: string;
let authority: TestAuthority;
let account: DevAccount;
let client: IssuedPair;
const connections: KeptConnection[] = [];
before(async () => {
  manager = await DevManager.start();
  folder = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  await writeFile(join(folder, 'server-ca.crt'), manager.serverCa);
  authority = await TestAuthority.create('Acme CA');
  account = await manager.account('acme', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
  client = await authority.client('edge-1');
});
after(async () => {
  for (const connection of connections) connection.close();
  await manager.stop();
  await rm(folder, { recursive: true });
});

const run = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  runCommand(args, {
    ...options,
    environment: {
      SALLYPORT_URL: manager.publicUrl,
      SALLYPORT_CA_FILE: join(folder, 'server-ca.crt'),
      SALLYPORT_API_KEY: account.adminKey,
    },
    now: Date.now(),
  });
const sallyport = (...args: string[]) => run(args);

async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

async function knock(): Promise<string> {
  const answer = await manager.request(`${manager.mtlsUrl('acme')}/healthz`, { certificate: client });
  return answer.status === 200 ? 'ADMITTED' : String(answer.body['code']);
}

test('a CRL is uploaded from PEM, DER or standard input, shown, forced and removed', async () => {
  assert.equal((await sallyport('endpoint', 'crl', 'show')).stdout, 'There are no CRLs.\n');
  const pem = await authority.crl([client], { number: 2 });
  const uploaded = await sallyport('endpoint', 'crl', 'upload', await file('ca.crl', pem));
  assert.equal(uploaded.exit, 0, uploaded.stderr);
  assert.match(uploaded.stdout, /^Issuer: +CN=Acme CA\nState: +CURRENT\nNumber: +2\nEntries: +1\n/);
  assert.equal(await knock(), 'CERTIFICATE_REVOKED');

  const older = await file('old.crl', readPemBlocks(await authority.crl([], { number: 1 }))[0]?.der ?? '');
  const refused = await sallyport('endpoint', 'crl', 'upload', older);
  assert.equal(refused.exit, 6);
  assert.match(refused.stderr, /number 1, of .* is older than the one in use \(number 2/);
  const forced = await sallyport('endpoint', 'crl', 'upload', '--force', older);
  assert.equal(forced.exit, 0, forced.stderr);
  assert.match(forced.stderr, /^warning: CN=Acme CA: .*took the place of a newer one/m);
  assert.equal(await knock(), 'ADMITTED');

  const newest = await authority.crl([client], { number: 3 });
  const { exit, stdout } = await run(['endpoint', 'crl', 'upload', '-', '--json'], { stdin: newest });
  assert.equal(exit, 0);
  const [{ issuerKey }] = JSON.parse(stdout) as [{ issuerKey: string }];
  assert.equal((await sallyport('endpoint', 'crl', 'remove', issuerKey)).exit, 0);
  assert.equal((await sallyport('endpoint', 'crl', 'remove', issuerKey)).exit, 5);
  assert.equal(await knock(), 'ADMITTED');
});

test('what is no CRL is not sent, a key least of all', async () => {
  const before = manager.log().length;
  for (const [content, why] of [
    [authority.pair.privateKeyPem, /holds a private key[\s\S]*Nothing was sent/],
    [authority.certificatePem, /holds no CRL/],
    ['', /holds no CRL/],
  ] as const) {
    const { exit, stderr } = await sallyport('endpoint', 'crl', 'upload', await file('wrong', content));
    assert.equal(exit, 2);
    assert.match(stderr, why);
  }
  assert.equal((await sallyport('endpoint', 'crl', 'upload', join(folder, 'nothing'))).exit, 2);
  assert.equal(manager.log().slice(before).includes('agent/mtls/crl'), false);
});

test('the rule for expired CRLs is shown, set, and taken back', async () => {
  assert.match((await sallyport('endpoint', 'crl', 'policy')).stdout, /^Clients are refused from the moment on/);
  assert.match(
    (await sallyport('endpoint', 'crl', 'policy', 'use-stale', '--hours', '24')).stdout,
    /for 24 hours more/,
  );
  assert.match((await sallyport('endpoint', 'crl', 'policy', '--hours', '48')).stdout, /for 48 hours more/);
  assert.equal((await sallyport('endpoint', 'crl', 'policy', 'refuse', '--hours', '1')).exit, 2);
  assert.match((await sallyport('endpoint', 'crl', 'policy', 'refuse')).stdout, /^Clients are refused/);
});

test('a certificate is denied by its file, its fingerprint or its number, listed, and let in again', async () => {
  assert.equal((await sallyport('endpoint', 'denied', 'list')).stdout, 'No certificate is denied.\n');
  const crt = await file('client.crt', client.certificatePem);
  const added = await sallyport('endpoint', 'denied', 'add', '--certificate', crt, '--note', 'laptop lost');
  assert.equal(added.exit, 0, added.stderr);
  assert.match(added.stdout, new RegExp(`${client.facts.fingerprint256} +- +- +laptop lost`));
  assert.equal(await knock(), 'CERTIFICATE_DENIED');
  assert.equal((await sallyport('endpoint', 'denied', 'remove', client.facts.fingerprint256)).exit, 0);

  const named = ['--issuer', 'CN=Acme CA', '--serial', client.facts.serialNumber];
  const { stdout } = await sallyport('endpoint', 'denied', 'add', ...named, '--json');
  assert.equal(await knock(), 'CERTIFICATE_DENIED');
  assert.equal(
    (await sallyport('endpoint', 'denied', 'remove', (JSON.parse(stdout) as { uuid: string }).uuid)).exit,
    0,
  );
  const unknown = await sallyport('endpoint', 'denied', 'add', '--issuer', 'CN=Acmee', '--serial', '01');
  assert.match(unknown.stderr, /^warning: CN=Acmee: No CA of the endpoint's bundle is called/);

  for (const args of [
    [],
    ['--issuer', 'CN=a'],
    ['--certificate', crt, '--fingerprint', 'a'],
    ['--certificate', folder],
  ]) {
    assert.equal((await sallyport('endpoint', 'denied', 'add', ...args)).exit, 2, args.join(' '));
  }
});

test('identities are allowed by type, and everybody only when that is said', async () => {
  const set = (...args: string[]) => sallyport('endpoint', 'allowed', 'set', ...args);
  const { exit, stdout, stderr } = await set('dns:other', 'subject:CN=edge-2, O=Example', 'URI:urn:a:b');
  assert.equal(exit, 0, stderr);
  assert.match(stdout, /DNS +other\nSUBJECT +CN=edge-2, O=Example\nURI +urn:a:b\n/);
  assert.equal(await knock(), 'IDENTITY_NOT_ALLOWED');
  for (const args of [[], ['edge-1'], ['name:edge-1'], ['--everybody', 'dns:a'], ['ip:nowhere']]) {
    assert.notEqual((await set(...args)).exit, 0, args.join(' '));
  }
  assert.equal(await knock(), 'IDENTITY_NOT_ALLOWED');
  assert.match((await set('--everybody')).stdout, /^Every certificate/);
  assert.match((await sallyport('endpoint', 'allowed', 'list')).stdout, /^Every certificate/);
  assert.equal(await knock(), 'ADMITTED');
});

test('a delegate is pinned to its certificate, listed, and unpinned', async () => {
  const { mtlsAddress } = manager.manager;
  const serverName = `acme.${manager.manager.agentDomain}`;
  const connection = await KeptConnection.open({ port: mtlsAddress.port, serverName, certificate: client });
  connections.push(connection);
  const agent = new DevAgent(connection, { accountId: 'acme', token: account.token, name: 'edge-1' });
  assert.equal((await agent.register()).status, 200);
  const pinned = await sallyport('delegate', 'pin', 'edge-1');
  assert.equal(pinned.exit, 0, pinned.stderr);
  assert.match(pinned.stdout, new RegExp(`edge-1 .*${client.facts.fingerprint256}`));
  assert.match((await sallyport('delegate', 'pins')).stdout, /edge-1/);
  const two = ['--fingerprint', client.facts.fingerprint256, '--fingerprint', 'b'.repeat(64)];
  assert.match((await sallyport('delegate', 'pin', 'edge-1', ...two)).stdout, /, b{64}$/m);
  assert.equal((await sallyport('delegate', 'pin', 'nobody')).exit, 6);
  assert.equal((await sallyport('delegate', 'unpin', 'edge-1')).exit, 0);
  assert.equal((await sallyport('delegate', 'unpin', 'edge-1')).exit, 5);
  assert.equal((await sallyport('delegate', 'pins')).stdout, 'No delegate is pinned.\n');
});
