import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DevAccount, DevAgent, DevManager, KeptConnection, TestAuthority } from '@sallyport/dev-env';
import type { AuthorityDetails, Readiness } from '@sallyport/protocol';
import type { IssuedPair } from '@sallyport/trust';
import { type Outcome, runCommand } from '../test/captured-terminal.ts';

// Going STRICT and moving to another CA, as a person does it: readiness, precautions, authorities.
let manager: DevManager;
let folder: string;
let authority: TestAuthority;
const connections: KeptConnection[] = [];
before(async () => {
  manager = await DevManager.start();
  folder = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  await writeFile(join(folder, 'server-ca.crt'), manager.serverCa);
  authority = await TestAuthority.create('First CA');
});
after(async () => {
  for (const connection of connections) connection.close();
  await manager.stop();
  await rm(folder, { recursive: true });
});

const accountWithEndpoint = (id: string) =>
  manager.account(id, { caCertificates: authority.certificatePem, mode: 'LOOSE' });

const sallyport = (account: DevAccount, ...args: string[]): Promise<Outcome> => sallyportOn(undefined, account, args);

const sallyportOn = (columns: number | undefined, account: DevAccount, args: readonly string[]): Promise<Outcome> =>
  runCommand(args, {
    ...(columns !== undefined && { columns }),
    environment: {
      SALLYPORT_URL: manager.publicUrl,
      SALLYPORT_CA_FILE: join(folder, 'server-ca.crt'),
      SALLYPORT_API_KEY: account.adminKey,
    },
    now: Date.now(),
  });

async function delegate({ id, token }: DevAccount, name: string, certificate?: IssuedPair): Promise<DevAgent> {
  const { publicAddress, mtlsAddress, agentDomain } = manager.manager;
  const connection = await KeptConnection.open(
    certificate === undefined
      ? { port: publicAddress.port, serverName: 'localhost' }
      : { port: mtlsAddress.port, serverName: `${id}.${agentDomain}`, certificate },
  );
  connections.push(connection);
  const agent = new DevAgent(connection, { accountId: id, token, name });
  assert.equal((await agent.register()).status, 200);
  return agent;
}

test('readiness is a table with the fix per row, and its exit code says whether STRICT cuts off anybody', async () => {
  const acme = await accountWithEndpoint('acme');
  const none = await sallyport(acme, 'endpoint', 'readiness');
  assert.equal(none.exit, 0, none.stderr);
  assert.match(none.stdout, /^Ready for STRICT: nobody would be cut off\. The mode is LOOSE\.\n/);
  assert.match(none.stdout, /No delegate has registered/);

  const plain = await delegate(acme, 'edge-plain');
  await delegate(acme, 'edge-mtls', await authority.client('edge-mtls'));
  const stranger = await (await TestAuthority.create('Foreign CA')).client('stranger');
  await manager.request(`${manager.mtlsUrl('acme')}/healthz`, { certificate: stranger });
  const { exit, stdout } = await sallyport(acme, 'endpoint', 'readiness');
  assert.equal(exit, 6);
  assert.match(stdout, /^Not ready for STRICT: 1 delegate would be cut off or kept out\./);
  assert.match(
    stdout,
    /^! +edge-plain +host-of-edge-plain +PLAIN +connected +Give it a client certificate and set MANAGER_HOST_AND_PORT=https:\S+\.$/m,
  );
  assert.match(stdout, /^ +edge-mtls +host-of-edge-mtls +ON_MTLS +connected +Renew its certificate/m);
  assert.match(stdout, /UNKNOWN_ISSUER +127\.0\.0\.1 +CN=stranger/);
  const narrow = await sallyportOn(80, acme, ['endpoint', 'readiness']);
  assert.match(narrow.stdout, /^What to do:\n {2}edge-plain: Give it a client certificate and set \S+\.$/m);
  const json = JSON.parse((await sallyport(acme, 'endpoint', 'readiness', '--json')).stdout) as Readiness;
  assert.deepEqual([json.ready, json.delegates.length], [false, 2]);

  const refused = await sallyport(acme, 'endpoint', 'mode', 'strict', '--only-if-ready');
  assert.equal(refused.exit, 6);
  assert.match(
    refused.stderr,
    /^error: Nothing was changed: this would cut off or keep out 1 delegate \(edge-plain\)\./,
  );
  const forced = await sallyport(acme, 'endpoint', 'mode', 'strict', '--revert-after', '10m');
  assert.equal(forced.exit, 0, forced.stderr);
  assert.match(forced.stderr, /edge-plain on host-of-edge-plain was cut off: MTLS_REQUIRED/);
  assert.match(
    forced.stderr,
    /What is on trial is taken back at \d{4}-.*Z, unless "sallyport endpoint confirm" comes first\./,
  );
  await plain.connection.gone;
  assert.match((await sallyport(acme, 'endpoint', 'show')).stderr, /What is on trial is taken back at/);
  const confirmed = await sallyport(acme, 'endpoint', 'confirm');
  assert.equal(confirmed.exit, 0, confirmed.stderr);
  assert.match(confirmed.stdout, /^Mode: +STRICT$/m);
  assert.equal((await sallyport(acme, 'endpoint', 'confirm')).exit, 6);
});

test('a CA is added, and removed when nobody needs it any more', async () => {
  const beta = await accountWithEndpoint('beta');
  const edge = await delegate(beta, 'edge', await authority.client('edge'));
  const next = await TestAuthority.create('Second CA');
  const file = join(folder, 'second.crt');
  await writeFile(file, next.certificatePem);
  const added = await sallyport(beta, 'endpoint', 'authorities', 'add', file);
  assert.equal(added.exit, 0, added.stderr);
  assert.match(added.stdout, /^SUBJECT +UNTIL +IN USE BY +USED BY +REMOVE +FINGERPRINT\n/);
  assert.match(added.stdout, /^CN=First CA .* 1 +1 +edge is connected under it/m);
  const listed = await sallyport(beta, 'endpoint', 'authorities', 'list', '--json');
  const [first] = JSON.parse(listed.stdout) as AuthorityDetails[];
  const remove = (...more: string[]) =>
    sallyport(beta, 'endpoint', 'authorities', 'remove', first?.fingerprint ?? '', ...more);
  const refused = await remove();
  assert.equal(refused.exit, 6);
  assert.match(refused.stderr, /is needed by edge/);
  const forced = await remove('--force');
  assert.equal(forced.exit, 0, forced.stderr);
  assert.match(forced.stderr, /edge on host-of-edge was cut off: UNKNOWN_ISSUER/);
  await edge.connection.gone;
  const last = await sallyport(beta, 'endpoint', 'authorities', 'list');
  assert.match(last.stdout, /^CN=Second CA .*It is the only CA of the bundle that is in date/m);
  assert.equal((await sallyport(beta, 'endpoint', 'authorities', 'add', join(folder, 'missing.crt'))).exit, 2);
});
