import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DevAccount, DevAgent, DevManager, KeptConnection } from '@sallyport/dev-env';
import { upgradePaths } from '@sallyport/protocol';
import { type Outcome, runCommand } from '../test/captured-terminal.ts';

let manager: DevManager;
let folder: string;
let acme: DevAccount;
before(async () => {
  manager = await DevManager.start();
  folder = mkdtempSync(join(tmpdir(), 'sallyport-cli-upgrade-'));
  writeFileSync(join(folder, 'ca.crt'), manager.serverCa);
  acme = await manager.account('acme');
});
after(async () => {
  await manager.stop();
  rmSync(folder, { recursive: true });
});

function runAs(key: string, args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const environment = {
    ...more,
    SALLYPORT_URL: manager.publicUrl,
    SALLYPORT_CA_FILE: join(folder, 'ca.crt'),
    SALLYPORT_API_KEY: key,
  };
  return runCommand(['upgrade', ...args], { environment, now: Date.now() });
}
/** One call of an upgrader of acme. */
async function upgraderCalls(image: string): Promise<void> {
  const { port } = manager.manager.publicAddress;
  const connection = await KeptConnection.open({ port, serverName: 'localhost' });
  const agent = new DevAgent(connection, { accountId: acme.id, token: acme.token });
  const { status } = await agent.call('GET', `${upgradePaths.delegate}?currentDelegateImageTag=${image}`);
  connection.close();
  assert.equal(status, 200);
}

const asOperator = (...args: string[]) => runAs(manager.operatorKey, args);
const asAdmin = (...args: string[]) => runAs(acme.adminKey, [...args, '--account', 'acme']);

test('an operator publishes, halts and resumes, and status says so', async () => {
  assert.equal((await asOperator('status')).stdout, 'Nothing is published.\n');
  assert.equal((await asOperator('ring', 'canary', '--account', 'acme')).stdout, 'Account "acme" is in ring canary.\n');
  const image = 'harness/delegate:25.09.86700';
  await upgraderCalls('harness/delegate:25.08.1');
  const untried = await asOperator('publish', image, '--ring', 'stable');
  assert.equal(untried.exit, 6);
  assert.match(untried.stderr, /was not tried: ring canary has nothing/);
  assert.equal(
    (await asOperator('publish', image, '--ring', 'canary')).stdout,
    `${image} is published to ring canary.\n`,
  );
  assert.match(
    (await asOperator('publish', image, '--ring', 'stable')).stderr,
    /of the one delegate in ring canary none has taken it[\s\S]*healthy for 30 minutes, or go ahead .*--force/,
  );
  assert.equal((await asOperator('publish', image, '--ring', 'stable', '--force')).exit, 0);
  assert.equal((await asOperator('publish', 'harness/delegate:25.01.1', '--ring', 'canary')).exit, 6);
  assert.match((await asOperator('halt', 'canary', '--reason', 'slow')).stdout, /gives out .* no more/);
  const status =
    /canary +DELEGATE +harness\/delegate:25\.09\.86700 +HALTED[\s\S]*\nRing canary is halted since \S+ \S+, by \S.*: slow\n$/;
  assert.match((await asOperator('status')).stdout, status);
  const inProfile = await runAs(manager.operatorKey, ['status'], { SALLYPORT_ACCOUNT: 'acme' });
  assert.match(inProfile.stdout, status, 'an operator sees all, whatever account other commands are about');
  const own = /Ring canary publishes harness\/delegate:25\.09\.86700\.\nThe ring of the account is halted, .*: slow\n/;
  assert.match((await asAdmin('status')).stdout, own);
  assert.match((await asOperator('status', '--account', 'acme')).stdout, own);
  assert.match((await asOperator('resume', 'canary')).stdout, /again/);
  assert.equal((await asOperator('publish', 'harness/delegate:latest', '--ring', 'canary')).exit, 1);
  assert.equal((await asAdmin('publish', image, '--ring', 'canary')).exit, 4);
});

test("an account's admin overrides the version and takes that back", async () => {
  assert.equal((await asAdmin('override', '25.08.1')).exit, 6, 'older, and not said so');
  const set = await asAdmin('override', '25.08.1', '--allow-older', '--days', '3');
  assert.equal(set.stdout, 'Delegates of the account are given the version 25.08.1.\n');
  assert.match((await asAdmin('status')).stdout, /The account is at 25\.08\.1 until \d{4}-/);
  assert.equal((await asAdmin('override', '--remove')).stdout, 'Account "acme" gets what its ring publishes again.\n');
  assert.equal((await asAdmin('override', '--remove')).stdout, 'Account "acme" had no override.\n');
  assert.equal((await asAdmin('override')).exit, 2);
  assert.equal((await runAs(acme.viewerKey, ['override', '25.10.1', '--account', 'acme'])).exit, 4);
});

test('upgrader run ends with the exit codes of this program', async () => {
  const file = join(folder, 'config.yaml');
  writeFileSync(file, 'mode: Delegate\nworkloadNames: edge\n');
  assert.equal((await runCommand(['upgrader', 'run', '--config', file])).exit, 2);
});
