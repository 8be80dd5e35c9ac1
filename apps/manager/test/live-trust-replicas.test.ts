import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createTestDatabase,
  type DevAccount,
  DevAgent,
  DevManager,
  type DevStream,
  dropTestDatabase,
  eventually,
  KeptConnection,
  TestAuthority,
  testPostgres,
} from '@sallyport/dev-env';
import type { IssuedPair } from '@sallyport/trust';
import pg from 'pg';

// Two managers on one PostgreSQL. What is changed through the one holds at the other.
const PROMISE_MS = 250;

let url: string;
let here: DevManager;
let there: DevManager;
let ca: TestAuthority;
let client: IssuedPair;

after(async () => {
  await Promise.all([here.stop(), there.stop()]);
  await dropTestDatabase(url);
});
// After that hook: hooks run in this order, and a server of this file's own has to outlive its managers.
const postgresUrl = testPostgres();

before(async () => {
  url = await createTestDatabase(await postgresUrl());
  const environment = { SALLYPORT_DATABASE_URL: url, SALLYPORT_MASTER_KEY: randomBytes(32).toString('hex') };
  here = await DevManager.start({ environment });
  there = await DevManager.start({ environment });
  there.operatorKey = here.operatorKey;
  ca = await TestAuthority.create('CA');
  client = await ca.client('delegate');
});

async function agent(manager: DevManager, account: DevAccount, certificate?: IssuedPair, token = account.token) {
  const connection = await KeptConnection.open(
    certificate === undefined
      ? { port: manager.manager.publicAddress.port, serverName: 'localhost' }
      : { port: manager.manager.mtlsAddress.port, serverName: `${account.id}.agent.localhost`, certificate },
  );
  const name = `agent-${randomBytes(4).toString('hex')}`;
  const made = new DevAgent(connection, { accountId: account.id, token, name });
  assert.equal((await made.register()).status, 200);
  return made;
}

async function gone(answered: number, ...connections: readonly (DevAgent | DevStream)[]): Promise<void> {
  for (const one of connections) {
    const ended = one instanceof DevAgent ? one.connection.gone : one.closed.then(({ at }) => at);
    const at = await Promise.race([ended, sleep(5_000, Number.POSITIVE_INFINITY, { ref: false })]);
    assert.ok(at - answered < PROMISE_MS, `gone ${Math.round(at - answered)} ms after the answer`);
  }
}

test('a change through one manager ends connections at the other, in time', async () => {
  const account = await here.account('acme', { caCertificates: ca.certificatePem, mode: 'LOOSE' });
  const other = await here.account('other', { caCertificates: ca.certificatePem, mode: 'LOOSE' });
  const bystanders = [await agent(there, other), await agent(there, other, client)];
  const plain = await agent(there, account);
  const plainStream = await (await agent(there, account)).stream();
  const mtls = await agent(there, account, client);
  const mtlsStream = await (await agent(there, account, client)).stream();

  await here.setMode('acme', 'STRICT');
  await gone(performance.now(), plain, plainStream);
  assert.equal((await plainStream.closed).code, 4401);
  assert.equal((await mtls.heartbeat()).status, 200);
  assert.equal(mtlsStream.isOpen, true);

  const endpoint = '/ng/api/agent/mtls/endpoint?accountIdentifier=acme';
  const another = await TestAuthority.create('Another CA');
  await here.must('PATCH', endpoint, { caCertificates: another.certificatePem });
  await gone(performance.now(), mtls, mtlsStream);
  assert.match((await mtlsStream.closed).reason, /^UNKNOWN_ISSUER: /);
  const refused = await there.request(`${there.mtlsUrl('acme')}/healthz`, { certificate: client });
  assert.equal(refused.body['code'], 'UNKNOWN_ISSUER', 'its context there was dropped');

  const moved = await agent(there, account, await another.client('delegate'));
  await here.must('DELETE', endpoint);
  await gone(performance.now(), moved);
  for (const one of bystanders) assert.equal((await one.heartbeat()).status, 200);
  for (const one of bystanders) one.connection.close();
});

test('a token revoked through one manager is worth nothing at the other', async () => {
  const account = await here.account('revoking');
  const tokens = '/ng/api/delegate-token-ng?accountIdentifier=revoking';
  const made = await here.must('POST', `${tokens}&tokenName=second`);
  const token = Buffer.from(String(made['value']), 'base64').toString();
  const streaming = await (await agent(there, account, undefined, token)).stream();
  const spared = await (await agent(there, account)).stream();
  const kept = await agent(there, account, undefined, token);
  await here.must('PUT', `${tokens}&tokenName=second`);
  const answered = performance.now();
  await gone(answered, streaming);
  const answer = await kept.heartbeat();
  assert.equal(answer.status, 401);
  assert.equal(answer.body['code'], 'REVOKED_TOKEN');
  assert.equal(spared.isOpen, true);
  spared.socket.terminate();
  kept.connection.close();
});

/** Ends the connections on which managers hear of each other (their queries bear a name), again and again until it is stopped. */
function deafen(): { readonly times: () => number; stop(): Promise<void> } {
  let times = 0;
  let stopped = false;
  const done = (async () => {
    const admin = new pg.Client({ connectionString: url, application_name: 'deafen' });
    await admin.connect();
    while (!stopped) {
      const { rowCount } = await admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = ''`,
      );
      times += rowCount ?? 0;
      await sleep(2);
    }
    await admin.end();
  })();
  return {
    times: () => times,
    stop: async () => {
      stopped = true;
      await done;
    },
  };
}

/** The status that the delegate gets at the other manager on a new connection; it may be cut before, then it tries again. */
function answerTo(delegate: DevAgent): Promise<number> {
  return eventually('an answer', async () => {
    const headers = { authorization: await delegate.authorization() };
    const target = `${there.publicUrl}/api/agent/delegates/register?accountId=deaf`;
    const answer = await there
      .request(target, { method: 'POST', headers, body: { delegateName: 'fresh' } })
      .catch(() => null);
    return answer?.status;
  });
}

test('while managers cannot hear each other, every decision is still right, and connections end when they can again', async () => {
  const account = await here.account('deaf', { caCertificates: ca.certificatePem, mode: 'LOOSE' });
  const tokens = '/ng/api/delegate-token-ng?accountIdentifier=deaf';
  const made = await here.must('POST', `${tokens}&tokenName=second`);
  const token = Buffer.from(String(made['value']), 'base64').toString();
  const before = await agent(there, account);
  const streamBefore = await (await agent(there, account)).stream();
  const revokedStream = await (await agent(there, account, client, token)).stream();
  const deafness = deafen();
  await eventually('the listening connections are gone', () => deafness.times() >= 2);

  const knock = await KeptConnection.open({ port: there.manager.publicAddress.port, serverName: 'localhost' });
  const delegate = new DevAgent(knock, { accountId: 'deaf', token: account.token, name: 'knocking' });
  for (let round = 0; round < 6; round += 1) {
    await here.setMode('deaf', 'STRICT');
    if (knock.isOpen) {
      // It may just be cut, when the manager hears again for a moment; an answer, if there is one, is a refusal.
      const answer = await delegate.register().catch(() => null);
      if (answer !== null) assert.equal(answer.status, 401, `round ${round}`);
    }
    assert.equal(await answerTo(delegate), 401, `round ${round}`);
    await here.setMode('deaf', 'LOOSE');
    assert.equal(await answerTo(delegate), 200, `round ${round}`);
  }
  await here.setMode('deaf', 'STRICT');
  await here.must('PUT', `${tokens}&tokenName=second`);
  const mtls = await KeptConnection.open({
    port: there.manager.mtlsAddress.port,
    serverName: 'deaf.agent.localhost',
    certificate: client,
  });
  const withRevoked = await new DevAgent(mtls, { accountId: 'deaf', token, name: 'revoked' }).register();
  assert.equal(withRevoked.body['code'], 'REVOKED_TOKEN');

  await deafness.stop();
  const ends = [before.connection.gone, streamBefore.closed, revokedStream.closed];
  const late = sleep(5_000, 'late', { ref: false });
  for (const end of ends) assert.notEqual(await Promise.race([end, late]), 'late');
  assert.match((await revokedStream.closed).reason, /^REVOKED_TOKEN: |^$/);
  for (const connection of [mtls, knock]) connection.close();
});
