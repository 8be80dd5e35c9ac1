import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  converse,
  type DevAccount,
  DevAgent,
  DevManager,
  type DevStream,
  KeptConnection,
  TestAuthority,
} from '@sallyport/dev-env';
import { type IssuedPair, issueClientCertificate } from '@sallyport/trust';

// A change of trust ends, within this time of the API's answer, the connections that no longer hold, and no others.
const PROMISE_MS = 250;

let dev: DevManager;
let bystander: DevAccount;
let bystanderClient: IssuedPair;
let count = 0;

before(async () => {
  dev = await DevManager.start();
  const authority = await TestAuthority.create('Bystander CA');
  bystanderClient = await authority.client('delegate');
  bystander = await dev.account('bystander', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
});
after(() => dev.stop());

async function agent(
  account: DevAccount,
  certificate?: IssuedPair,
  { token = account.token, prefix = account.id } = {},
): Promise<DevAgent> {
  const connection = await KeptConnection.open(
    certificate === undefined
      ? { port: dev.manager.publicAddress.port, serverName: 'localhost' }
      : { port: dev.manager.mtlsAddress.port, serverName: `${prefix}.agent.localhost`, certificate },
  );
  count += 1;
  const made = new DevAgent(connection, { accountId: account.id, token, name: `agent-${count}` });
  const answer = await made.register();
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return made;
}

async function stream(...of: Parameters<typeof agent>): Promise<DevStream> {
  return (await agent(...of)).stream();
}

/** Connections of every kind of an account that the change is none of their business: all of them still work after it. */
async function bystanders(): Promise<{ unharmed(): Promise<void> }> {
  const kept = [await agent(bystander), await agent(bystander, bystanderClient)];
  const streams = [await stream(bystander), await stream(bystander, bystanderClient)];
  const poller = await agent(bystander);
  const poll = poller.poll(20);
  return {
    unharmed: async () => {
      for (const one of kept) assert.equal((await one.heartbeat()).status, 200);
      for (const one of streams) assert.equal(one.isOpen, true);
      const task = { type: 'ECHO', data: {}, selectors: [poller.name] };
      await dev.must('POST', '/ng/api/tasks?accountIdentifier=bystander', task);
      assert.equal((await poll).status, 200);
      for (const one of [...kept, poller]) one.connection.close();
      for (const one of streams) one.socket.terminate();
    },
  };
}

/** Resolves when all of them are gone; fails when one took longer than promised after `answered`. */
async function gone(answered: number, ...connections: readonly (DevAgent | DevStream)[]): Promise<void> {
  for (const one of connections) {
    const ended = one instanceof DevAgent ? one.connection.gone : one.closed.then(({ at }) => at);
    const at = await Promise.race([ended, sleep(5_000, Number.POSITIVE_INFINITY, { ref: false })]);
    assert.ok(at - answered < PROMISE_MS, `gone ${Math.round(at - answered)} ms after the answer`);
  }
}

const endpointOf = (account: DevAccount) => `/ng/api/agent/mtls/endpoint?accountIdentifier=${account.id}`;

async function change(account: DevAccount, method: 'PATCH' | 'DELETE', body?: unknown): Promise<number> {
  await dev.must(method, endpointOf(account), body, account.adminKey);
  return performance.now();
}

test('flipping to STRICT ends every plain connection of the account, idle, polling or streaming, and says why', async () => {
  const authority = await TestAuthority.create('CA');
  const client = await authority.client('delegate');
  const account = await dev.account('flipping', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
  const others = await bystanders();
  const idle = await agent(account);
  const polling = await agent(account);
  const held = assert.rejects(polling.poll(20));
  const plainStream = await stream(account);
  const mtls = await agent(account, client);
  const mtlsStream = await stream(account, client);
  // Of the same listener, but no delegate of the account: somebody who works with the API.
  const person = await KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
  const whoAmI = () =>
    person.request('GET', '/ng/api/api-keys/current', { headers: { 'x-api-key': account.adminKey } });
  assert.equal((await whoAmI()).status, 200);
  await others.unharmed();
  const stillThere = await bystanders();

  const answered = await change(account, 'PATCH', { mode: 'STRICT' });
  await gone(answered, idle, polling, plainStream);
  await held;
  const { code, reason } = await plainStream.closed;
  assert.equal(code, 4401);
  assert.match(reason, /^INVALID_AGENT_MTLS_AUTHORITY: The account accepts mTLS delegates only/);
  assert.ok(Buffer.byteLength(reason) <= 123);

  await stillThere.unharmed();
  assert.equal((await mtls.heartbeat()).status, 200);
  assert.equal(mtlsStream.isOpen, true);
  assert.equal((await whoAmI()).status, 200);
  await assert.rejects(agent(account), /INVALID_AGENT_MTLS_AUTHORITY/, 'and no plain one comes back');

  await change(account, 'PATCH', { mode: 'LOOSE' });
  const back = await agent(account);
  assert.equal((await back.heartbeat()).status, 200);
  const again = await change(account, 'PATCH', { mode: 'STRICT' });
  await gone(again, back);
  assert.equal((await mtls.heartbeat()).status, 200, 'an mTLS connection sees nothing of it all');
  assert.equal(mtlsStream.isOpen, true);
  for (const connection of [mtls.connection, person]) connection.close();
  mtlsStream.socket.terminate();
});

test('deleting the endpoint ends its mTLS connections; plain ones are accepted again', async () => {
  const authority = await TestAuthority.create('CA');
  const client = await authority.client('delegate');
  const account = await dev.account('deleting', { caCertificates: authority.certificatePem, mode: 'STRICT' });
  const others = await bystanders();
  const kept = await agent(account, client);
  const streaming = await stream(account, client);
  const answered = await change(account, 'DELETE');
  await gone(answered, kept, streaming);
  const { code, reason } = await streaming.closed;
  assert.equal(code, 4401);
  assert.match(reason, /^INVALID_AGENT_MTLS_AUTHORITY: The connection came through the mTLS endpoint deleting\./);
  await others.unharmed();
  const plain = await agent(account);
  const refused = await dev.request(`${dev.mtlsUrl('deleting')}/healthz`, { certificate: client });
  assert.equal(refused.body['code'], 'UNKNOWN_ENDPOINT');
  plain.connection.close();
});

test('renaming the endpoint ends the connections made under its old name', async () => {
  const authority = await TestAuthority.create('CA');
  const client = await authority.client('delegate');
  const account = await dev.account('renaming', { caCertificates: authority.certificatePem, mode: 'STRICT' });
  const others = await bystanders();
  const kept = await agent(account, client);
  const streaming = await stream(account, client);
  const answered = await change(account, 'PATCH', { domainPrefix: 'renamed' });
  await gone(answered, kept, streaming);
  await others.unharmed();
  const refused = await dev.request(`${dev.mtlsUrl('renaming')}/healthz`, { certificate: client });
  assert.equal(refused.body['code'], 'UNKNOWN_ENDPOINT');
  const moved = await agent(account, client, { prefix: 'renamed' });
  // The old name is free for somebody else, whose connections are then not touched by this account's changes.
  const heir = await dev.account('heir', {
    caCertificates: authority.certificatePem,
    mode: 'STRICT',
    domainPrefix: 'renaming',
  });
  const theirs = await agent(heir, client, { prefix: 'renaming' });
  await change(account, 'PATCH', { mode: 'LOOSE' });
  assert.equal((await moved.heartbeat()).status, 200);
  assert.equal((await theirs.heartbeat()).status, 200);
  for (const one of [moved, theirs]) one.connection.close();
});

test('a CA taken out of the bundle ends the connections that came by it; adding one ends nobody', async () => {
  // The same name: what tells them apart is the key that signed.
  const first = await TestAuthority.create('Same Name CA');
  const second = await TestAuthority.create('Same Name CA');
  const below = await TestAuthority.create('Issuing CA', { issuer: second });
  const bundle = first.certificatePem + second.certificatePem;
  const account = await dev.account('rotating', { caCertificates: first.certificatePem, mode: 'STRICT' });
  const ofFirst = await agent(account, await first.client('delegate'));
  const streamOfFirst = await stream(account, await first.client('delegate'));

  await change(account, 'PATCH', { caCertificates: bundle });
  assert.equal((await ofFirst.heartbeat()).status, 200, 'added');
  assert.equal(streamOfFirst.isOpen, true, 'added');
  const ofSecond = await agent(account, await second.client('delegate'));
  const leaf = await below.client('delegate');
  const chain = { ...leaf, certificatePem: leaf.certificatePem + below.certificatePem };
  const streamOfSecond = await stream(account, chain);
  const others = await bystanders();

  await change(account, 'PATCH', { caCertificates: second.certificatePem + first.certificatePem });
  await change(account, 'PATCH', { caCertificates: `# a comment\n${bundle}` });
  assert.equal((await ofFirst.heartbeat()).status, 200, 'written in another order');

  const answered = await change(account, 'PATCH', { caCertificates: second.certificatePem });
  await gone(answered, ofFirst, streamOfFirst);
  const { code, reason } = await streamOfFirst.closed;
  assert.equal(code, 4401);
  assert.match(reason, /^UNKNOWN_ISSUER: the CA that CN=Same Name CA leads to/);
  assert.equal((await ofSecond.heartbeat()).status, 200);
  assert.equal(streamOfSecond.isOpen, true);
  await others.unharmed();
  ofSecond.connection.close();
  streamOfSecond.socket.terminate();
});

test('deleting the account ends everything of it', async () => {
  const authority = await TestAuthority.create('CA');
  const client = await authority.client('delegate');
  const account = await dev.account('leaving', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
  const others = await bystanders();
  const kept = await agent(account, client);
  const mtlsStream = await stream(account, client);
  const plainStream = await stream(account);
  const plain = await agent(account);
  await dev.must('DELETE', '/ng/api/accounts/leaving');
  await gone(performance.now(), kept, mtlsStream, plainStream);
  assert.equal((await plainStream.closed).code, 4401);
  assert.equal((await plain.heartbeat()).status, 401, 'a plain connection may stay, it is nobody now');
  plain.connection.close();
  await others.unharmed();
});

test('revoking a token ends the streams that were opened with it, and no others of the account', async () => {
  const authority = await TestAuthority.create('CA');
  const client = await authority.client('delegate');
  const account = await dev.account('revoking', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
  const tokens = '/ng/api/delegate-token-ng?accountIdentifier=revoking';
  const made = await dev.must('POST', `${tokens}&tokenName=second`);
  const token = Buffer.from(String(made['value']), 'base64').toString();
  const others = await bystanders();
  const doomed = [await stream(account, undefined, { token }), await stream(account, client, { token })];
  const kept = await agent(account, client, { token });
  const spared = [await stream(account), await stream(account, client)];
  await dev.must('PUT', `${tokens}&tokenName=second`);
  await gone(performance.now(), ...doomed);
  for (const one of doomed) {
    const { code, reason } = await one.closed;
    assert.equal(code, 4401);
    assert.equal(reason, 'REVOKED_TOKEN: The delegate token was revoked.');
  }
  const answer = await kept.heartbeat();
  assert.equal(answer.status, 401);
  assert.equal(answer.body['code'], 'REVOKED_TOKEN');
  for (const one of spared) assert.equal(one.isOpen, true);
  for (const one of spared) one.socket.terminate();
  kept.connection.close();
  await others.unharmed();
});

test('a certificate that expires during its connection ends it at that moment', async () => {
  const authority = await TestAuthority.create('CA', { now: new Date(Date.now() - 5 * 86_400_000) });
  const account = await dev.account('expiring', { caCertificates: authority.certificatePem, mode: 'STRICT' });
  // Certificates know whole seconds only, so this one lasts for more than one and less than two.
  const notAfter = (Math.floor(Date.now() / 1000) + 2) * 1000;
  const client = await issueClientCertificate({
    authority: authority.pair,
    name: 'short',
    keyAlgorithm: 'EC P-256',
    days: 1,
    now: new Date(notAfter - 86_400_000),
  });
  assert.equal(client.facts.notAfter.getTime(), notAfter);
  const kept = await agent(account, client);
  const streaming = await stream(account, client);
  const longer = await agent(account, await authority.client('longer'));
  const offset = Date.now() - performance.now();
  await gone(notAfter - offset, kept, streaming);
  for (const at of [await kept.connection.gone, (await streaming.closed).at]) {
    assert.ok(at + offset - notAfter > -5, 'and not before it');
  }
  const { code, reason } = await streaming.closed;
  assert.equal(code, 4401);
  assert.match(reason, /^CLIENT_CERTIFICATE_EXPIRED: the client certificate expired at /);
  assert.equal((await longer.heartbeat()).status, 200);
  longer.connection.close();
  const refused = await dev.request(`${dev.mtlsUrl('expiring')}/healthz`, { certificate: client });
  assert.equal(refused.body['code'], 'CLIENT_CERTIFICATE_EXPIRED');
});

test('a delegate that is deleted learns on its stream that it has to register again', async () => {
  const one = await agent(bystander);
  const streaming = await one.stream();
  await dev.must('DELETE', `/ng/api/delegate-setup/delegate/${one.id}?accountIdentifier=bystander`);
  streaming.socket.send('{}');
  const { code, reason } = await streaming.closed;
  assert.equal(code, 1013);
  assert.equal(reason, 'register again');
});

test('a token that another connection has shown ties a connection to the account, and opens none that the account refuses', async () => {
  const authority = await TestAuthority.create('Sharing CA');
  const sharing = await dev.account('sharing', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
  const known = await agent(sharing, await authority.client('delegate'));
  const plainConnection = () => KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
  // Its first request is one that memory could say yes to: it has to be found by a flip all the same.
  const other = known.on(await plainConnection());
  assert.equal((await other.poll()).status, 200);
  const path = '/ng/api/agent/mtls/endpoint?accountIdentifier=sharing';
  await dev.must('PATCH', path, { mode: 'STRICT' });
  await gone(performance.now(), other);

  // The second of two requests sent at once comes while the first is being judged, on a connection that is tied for that.
  assert.equal((await known.poll()).status, 200, 'its token is remembered under the new state');
  const { socket } = await plainConnection();
  const poll = `GET /api/agent/delegates/${known.id}/task-events?accountId=sharing HTTP/1.1\r\nhost: localhost\r\nauthorization: ${await known.authorization()}\r\n`;
  const answers = await converse(socket, `${poll}\r\n${poll}connection: close\r\n\r\n`);
  assert.deepEqual(
    [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status),
    ['401', '401'],
  );
  known.connection.close();
});
