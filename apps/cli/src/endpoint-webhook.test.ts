import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DevAccount, DevAgent, DevManager, KeptConnection, TestAuthority } from '@sallyport/dev-env';
import { type Outcome, runCommand } from '../test/captured-terminal.ts';

// Webhooks and client certificates, as a person looks after them.
let manager: DevManager;
let folder: string;
let authority: TestAuthority;
let account: DevAccount;
let receiver: Server;
let status = 200;
let url: string;
let connection: KeptConnection | undefined;
before(async () => {
  manager = await DevManager.start({ environment: { SALLYPORT_WEBHOOK_LOOPBACK_HTTP: 'allow' } });
  folder = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  await writeFile(join(folder, 'server-ca.crt'), manager.serverCa);
  authority = await TestAuthority.create('Acme CA');
  account = await manager.account('acme', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
  receiver = createServer((request, response) => {
    request.resume();
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
});
after(async () => {
  connection?.close();
  receiver.close();
  await manager.stop();
  await rm(folder, { recursive: true });
});

const sallyport = (...args: string[]): Promise<Outcome> =>
  runCommand(args, {
    environment: {
      SALLYPORT_URL: manager.publicUrl,
      SALLYPORT_CA_FILE: join(folder, 'server-ca.crt'),
      SALLYPORT_API_KEY: account.adminKey,
    },
    now: Date.now(),
  });
const webhook = (...args: string[]) => sallyport('endpoint', 'webhook', ...args);

test('a webhook is added with its secret, listed without it, tested, looked at and removed', async () => {
  assert.equal((await webhook('list')).stdout, 'There are no webhooks.\n');
  const added = await webhook('add', url, '--event', 'refusal.new', 'endpoint.changed');
  assert.equal(added.exit, 0, added.stderr);
  assert.match(added.stdout, /^Events: +refusal\.new, endpoint\.changed\nSecret: +whsec_[A-Za-z0-9+/]{43}=$/m);
  const uuid = /^UUID: +(\S+)$/m.exec(added.stdout)?.[1] ?? '';
  const listed = await webhook('list');
  assert.match(listed.stdout, new RegExp(`^${uuid} +ACTIVE +${url} +refusal\\.new, endpoint\\.changed`, 'm'));
  assert.doesNotMatch(listed.stdout, /whsec_/);

  const tested = await webhook('test', uuid);
  assert.deepEqual([tested.exit, tested.stdout], [0, 'Delivered: it answered 200.\n'], tested.stderr);
  status = 500;
  const failed = await webhook('test', uuid);
  assert.deepEqual([failed.exit, failed.stdout], [6, 'Not delivered: it answered 500.\n']);
  const { stdout } = await webhook('deliveries', uuid, '--limit', '5');
  assert.match(stdout, /webhook\.test +FAILED +1 +- +500 +it answered 500[\s\S]*webhook\.test +DELIVERED +1 +- +200/);
  status = 410;
  assert.equal((await webhook('test', uuid)).exit, 6);
  assert.match((await webhook('list')).stderr, /is switched off: it answered 410.*A test that is delivered/s);

  assert.equal((await webhook('remove', uuid, '--yes')).exit, 0);
  assert.equal((await webhook('remove', uuid, '--yes')).exit, 5);
  assert.equal((await webhook('test', uuid)).exit, 5);
});

test('what webhooks may not be sent to is refused with what to do', async () => {
  const inside = await webhook('add', 'https://10.1.2.3/');
  assert.equal(inside.exit, 1);
  assert.match(
    inside.stderr,
    /10\.1\.2\.3, which webhooks may not connect to[\s\S]*SALLYPORT_WEBHOOK_PRIVATE_ADDRESSES/,
  );
  assert.equal((await webhook('add', url, '--event', 'nothing')).exit, 2);
  assert.equal((await webhook('add')).exit, 2);
});

test('client certificates are listed by days left, with who comes with them', async () => {
  assert.equal((await sallyport('endpoint', 'certificates')).stdout, 'No delegate has come with such a certificate.\n');
  const certificate = await authority.client('edge-1', { days: 20 });
  const { port } = manager.manager.mtlsAddress;
  const serverName = `acme.${manager.manager.agentDomain}`;
  connection = await KeptConnection.open({ port, serverName, certificate });
  const agent = new DevAgent(connection, { accountId: 'acme', token: account.token, name: 'edge-1' });
  assert.equal((await agent.register()).status, 200);
  const { stdout } = await sallyport('endpoint', 'certificates');
  assert.match(
    stdout,
    new RegExp(`^19 .*CN=edge-1 +edge-1 +connected +CN=Acme CA +\\S+ +${certificate.facts.fingerprint256}$`, 'm'),
  );
  assert.match((await sallyport('endpoint', 'certificates', '--within', '10')).stdout, /^No delegate/);
});
