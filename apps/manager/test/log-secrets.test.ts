import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DevAgent, DevManager, KeptConnection, rawTls, TestAuthority } from '@sallyport/dev-env';
import { agentPaths } from '@sallyport/protocol';
import { createSigningRequest } from '@sallyport/trust';

test('at level trace, after every kind of call, the log holds no token, key, JWE, CSR or payload', async (t) => {
  const dev = await DevManager.start();
  t.after(() => dev.stop());
  const ca = await TestAuthority.create('CA');
  const acme = await dev.account('acme', { caCertificates: ca.certificatePem, mode: 'LOOSE' });
  const endpoint = '/ng/api/agent/mtls/endpoint?accountIdentifier=acme';
  const client = await ca.client('delegate');
  const { requestPem: signingRequestPem } = await createSigningRequest({ name: 'delegate', keyAlgorithm: 'EC P-256' });
  const secrets = new Map<string, string>([
    ['operator key', dev.operatorKey],
    ['admin key', acme.adminKey],
    ['viewer key', acme.viewerKey],
    ['delegate token', acme.token],
    ['delegate token as it is shown', Buffer.from(acme.token).toString('base64')],
    ['payload of a task', 'hunter2-in-a-script'],
    ['result of a task', 'hunter2-in-a-result'],
    ['query', 'hunter2-in-a-query'],
    ['invented key', 'pat.acme.hunter2-id.hunter2-invented'],
  ]);
  const pem = (what: string, text: string) => {
    for (const line of text.split('\n').slice(1, -2)) secrets.set(`${what}: ${line.slice(0, 8)}`, line);
  };
  pem("the client's private key", client.privateKeyPem);
  pem("the CA's private key", ca.pair.privateKeyPem);
  pem('a CSR', signingRequestPem);

  // The management API, with what belongs nowhere.
  for (const wrong of [ca.pair.privateKeyPem, client.privateKeyPem + ca.certificatePem, signingRequestPem]) {
    const answer = await dev.api('PATCH', endpoint, { caCertificates: wrong }, acme.adminKey);
    assert.equal(answer.status, 400);
    await dev.api('POST', endpoint, wrong, acme.adminKey);
    await dev.api('PUT', endpoint, { mode: wrong, domainPrefix: wrong }, acme.adminKey);
  }
  const made = await dev.must('POST', '/ng/api/delegate-token-ng?accountIdentifier=acme&tokenName=second');
  secrets.set('second token', String(made['value']));
  const key = await dev.must('POST', '/ng/api/api-keys?accountIdentifier=acme', { name: 'k', role: 'ACCOUNT_ADMIN' });
  secrets.set('second key', String(key['key']));
  await dev.must('DELETE', `/ng/api/api-keys/${key['uuid']}?accountIdentifier=acme`);
  assert.equal((await dev.api('GET', '/ng/api/accounts', undefined, String(key['key']))).status, 401);
  await dev.api('GET', '/ng/api/accounts', undefined, secrets.get('invented key'));
  await dev.api('GET', `/nowhere?x-api-key=hunter2-in-a-query`);
  await dev.request(`${dev.publicUrl}/ng/api/accounts`, {
    method: 'POST',
    headers: { 'x-api-key': acme.viewerKey },
    body: '{"x',
  });

  // A delegate, admitted and refused, and a task.
  const { port } = dev.manager.mtlsAddress;
  const serverName = 'acme.agent.localhost';
  const connection = await KeptConnection.open({ port, serverName, certificate: client });
  t.after(() => connection.close());
  const agent = new DevAgent(connection, { accountId: 'acme', token: acme.token });
  assert.equal((await agent.register()).status, 200);
  secrets.set('JWE', (await agent.authorization()).replace('Delegate ', ''));
  const task = await dev.must('POST', '/ng/api/tasks?accountIdentifier=acme', {
    type: 'SHELL_SCRIPT',
    data: { script: 'echo hunter2-in-a-script' },
  });
  assert.equal((await agent.acquire(String(task['id']))).status, 200);
  await agent.report(String(task['id']), {
    status: 'FAILED',
    error: 'hunter2-in-a-result',
    data: { x: 'hunter2-in-a-result' },
  });
  const stream = await agent.on(await KeptConnection.open({ port, serverName, certificate: client })).stream();
  stream.socket.send('hunter2-in-a-query');
  const stranger = new DevAgent(
    await KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' }),
    { accountId: 'acme', token: 'f'.repeat(32) },
  );
  assert.equal((await stranger.register()).status, 401);
  secrets.set('JWE of a stranger', (await stranger.authorization()).replace('Delegate ', ''));
  stranger.connection.close();
  await dev.request(`${dev.mtlsUrl('acme')}${agentPaths.heartbeat}?accountId=acme`, {
    method: 'POST',
    headers: { authorization: await agent.authorization() },
    body: { x: 'hunter2-in-a-query' },
  });
  const raw = await rawTls({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
  raw.end(`GET / HTTP/1.1\r\nx-api-key: ${acme.adminKey}\r\nbroken\r\n\r\n`);
  await dev.must('PUT', '/ng/api/delegate-token-ng?accountIdentifier=acme&tokenName=default_token');
  await stream.closed;
  await dev.manager.stop();

  const log = dev.log();
  assert.match(log, /"route":"\/ng\/api\/agent\/mtls\/endpoint"/, 'the log has the calls');
  for (const [what, secret] of secrets) {
    assert.ok(secret.length > 8, what);
    assert.ok(!log.includes(secret), `the log holds the ${what}`);
    // The last part of a key is the secret one, and a JWE's parts may be cut.
    const last = secret.split('.').at(-1) ?? secret;
    if (last.length > 8) assert.ok(!log.includes(last), `the log holds a part of the ${what}`);
  }
  assert.doesNotMatch(log, /-----BEGIN|hunter2/);
});
