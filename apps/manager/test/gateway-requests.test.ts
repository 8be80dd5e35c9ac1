import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  ask,
  converse,
  type DevAccount,
  DevAgent,
  type DevBody,
  DevManager,
  KeptConnection,
  rawTls,
  TestAuthority,
} from '@sallyport/dev-env';
import type { IssuedPair } from '@sallyport/trust';

// What an admitted client can say in its requests: nothing in them changes who it is.

let dev: DevManager;
let acme: DevAccount;
let beta: DevAccount;
let acmeClient: IssuedPair;

before(async () => {
  dev = await DevManager.start();
  const acmeCa = await TestAuthority.create('Acme CA');
  const betaCa = await TestAuthority.create('Beta CA');
  acmeClient = await acmeCa.client('delegate');
  acme = await dev.account('acme', { caCertificates: acmeCa.certificatePem, mode: 'STRICT' });
  beta = await dev.account('beta', { caCertificates: betaCa.certificatePem, mode: 'STRICT' });
});
after(() => dev.stop());

const ACME = 'acme.agent.localhost';
const plain = () => KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
const mtls = () =>
  KeptConnection.open({ port: dev.manager.mtlsAddress.port, serverName: ACME, certificate: acmeClient });

/** Every spelling that a proxy or a framework somewhere takes for the same header. */
function spellings(name: string): string[] {
  return [name, name.toUpperCase(), name.replaceAll('-', '_'), `x-${name}`, `${name}-`, name.replaceAll('-', '.')];
}

const SPOOFED: Readonly<Record<string, string>> = {
  'agent-mtls-authority': 'beta.agent.localhost',
  'agent-mtls-fqdn': 'beta.agent.localhost',
  'ssl-client-verify': 'SUCCESS',
  'ssl-client-subject-dn': 'CN=delegate',
  'ssl-client-cert': '-----BEGIN CERTIFICATE-----',
  'x-ssl-client-verify': 'SUCCESS',
  'x-client-cert': 'CN=delegate',
  'x-forwarded-client-cert': 'By=spiffe://x;Hash=00;Subject="CN=delegate"',
  'client-cert': ':MIIB:',
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-host': 'beta.agent.localhost',
  'x-forwarded-proto': 'https',
  'x-forwarded-port': '8443',
  'x-original-host': 'beta.agent.localhost',
  'x-host': 'beta.agent.localhost',
  'x-real-ip': '203.0.113.7',
  forwarded: 'for=203.0.113.7;host=beta.agent.localhost',
  'x-original-url': '/api/account/beta/status',
  'x-rewrite-url': '/api/account/beta/status',
  'x-http-method-override': 'GET',
  'harness-account': 'beta',
  accountid: 'beta',
};

test('no header makes a plain connection an mTLS one, in any spelling', async () => {
  const connection = await plain();
  const authorization = await new DevAgent(connection, { accountId: 'beta', token: beta.token }).authorization();
  for (const [name, value] of Object.entries(SPOOFED)) {
    for (const spelled of spellings(name)) {
      const answer = await connection.request('POST', '/api/agent/delegates/register?accountId=beta', {
        headers: { authorization, [spelled]: value },
        body: { delegateName: 'spoofed' },
      });
      assert.equal(answer.status, 401, spelled);
      assert.equal(answer.body['code'], 'INVALID_AGENT_MTLS_AUTHORITY', spelled);
    }
  }
  const refusals = await refusalsOf(beta);
  assert.deepEqual(
    refusals.map(({ remoteAddress }) => String(remoteAddress)),
    ['127.0.0.1'],
    'and the address on record is the one that it came from',
  );
  connection.close();
});

async function refusalsOf(account: DevAccount): Promise<DevBody[]> {
  const path = `/ng/api/agent/mtls/refusals?accountIdentifier=${account.id}`;
  return (await dev.must('GET', path, undefined, account.viewerKey)) as unknown as DevBody[];
}

test('no header turns the endpoint of one account into that of another', async () => {
  const connection = await mtls();
  const authorization = await new DevAgent(connection, { accountId: 'beta', token: beta.token }).authorization();
  for (const [name, value] of Object.entries(SPOOFED)) {
    for (const spelled of spellings(name)) {
      const answer = await connection.request('POST', '/api/agent/delegates/register?accountId=beta', {
        headers: { authorization, [spelled]: value },
        body: { delegateName: 'spoofed' },
      });
      assert.equal(answer.status, 401, spelled);
    }
  }
  connection.close();
});

test('such a header does no harm to an honest delegate either: it is admitted by its certificate', async () => {
  const connection = await mtls();
  const agent = new DevAgent(connection, { accountId: 'acme', token: acme.token, name: 'honest' });
  const authorization = await agent.authorization();
  const answer = await connection.request('POST', '/api/agent/delegates/register?accountId=acme', {
    headers: { authorization, ...SPOOFED },
    body: { delegateName: 'honest', hostName: 'h' },
  });
  assert.equal(answer.status, 200);
  const [listed] = (await dev.must('POST', '/ng/api/delegate-setup/listDelegates?accountIdentifier=acme', {
    delegateName: 'honest',
  })) as unknown as DevBody[];
  const replica = listed?.['delegateReplicas']?.[0];
  assert.equal(replica?.['transport'], 'MTLS');
  assert.equal(replica?.['certificate']?.['fingerprint'], acmeClient.facts.fingerprint256);
  connection.close();
});

const HOSTS = [
  'beta.agent.localhost',
  'localhost',
  'nobody.agent.localhost',
  '127.0.0.1',
  'acme.agent.localhost.evil.example',
  'acme.agent.localhost:8443:1',
  'acme.agent.localhost@beta.agent.localhost',
  'acme%2eagent.localhost',
  '',
];

test('a request for another host than the connection was made for is misdirected, whatever path it asks for', async () => {
  for (const host of HOSTS) {
    for (const path of ['/healthz', '/api/account/beta/status', '/ng/api/accounts', '/nowhere']) {
      const connection = await mtls();
      const answer = await converse(
        connection.socket,
        `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nx-api-key: ${dev.operatorKey}\r\nconnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 4(21|00) /, `${host} ${path}`);
      if (answer.startsWith('HTTP/1.1 421')) assert.match(answer, /"code":"MISDIRECTED_REQUEST"/);
    }
  }
  for (const host of ['localhost', 'localhost:7443', 'LOCALHOST', 'localhost.']) {
    assert.equal((await dev.request(`${dev.publicUrl}/healthz`, { headers: { host } })).status, 200, host);
  }
  const elsewhere = await dev.request(`${dev.publicUrl}/healthz`, { headers: { host: ACME } });
  assert.equal(elsewhere.status, 421, 'on the public listener too');
});

test('whatever way a request names a host counts: two Host headers, none, or a target in absolute form', async () => {
  const head = (target: string, ...hosts: string[]) =>
    `GET ${target} HTTP/1.1\r\n${hosts.map((host) => `host: ${host}\r\n`).join('')}connection: close\r\n\r\n`;
  const misdirected = [
    head('/healthz', ACME, 'beta.agent.localhost'),
    head('/healthz', 'beta.agent.localhost', ACME),
    head('/healthz'),
    head('https://beta.agent.localhost/healthz', ACME),
    head('https://acme.agent.localhost/healthz', 'beta.agent.localhost'),
    head('http://beta.agent.localhost/healthz', ACME),
    head('https://acme.agent.localhost@beta.agent.localhost/healthz', ACME),
    head('beta.agent.localhost:443', ACME),
  ];
  for (const text of misdirected) {
    const { socket } = await mtls();
    assert.match(await converse(socket, text), /^HTTP\/1\.1 4(00|21) /, text);
  }
  const { socket } = await mtls();
  const answer = await converse(socket, head('https://acme.agent.localhost:8443/nowhere', ACME));
  assert.match(answer, /^HTTP\/1\.1 404 /, 'its own host may be named so');
});

function upgrade(path: string, host: string, authorization: string): string {
  return (
    `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n` +
    `sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nauthorization: ${authorization}\r\n\r\n`
  );
}

test('an upgrade is checked as any request: host, account, token, delegate, and the shape of its target', async () => {
  const connection = await mtls();
  const agent = new DevAgent(connection, { accountId: 'acme', token: acme.token, name: 'streaming' });
  await agent.register();
  const authorization = await agent.authorization();
  const foreign = await new DevAgent(connection, { accountId: 'beta', token: beta.token }).authorization();
  const path = `/api/agent/delegates/${agent.id}/stream`;
  const cases: [string, string, RegExp][] = [
    [`${path}?accountId=acme`, 'beta.agent.localhost', /^HTTP\/1\.1 421 [\s\S]*MISDIRECTED_REQUEST/],
    [`${path}?accountId=beta`, ACME, /^HTTP\/1\.1 401 [\s\S]*INVALID_AGENT_MTLS_AUTHORITY/],
    [path, ACME, /^HTTP\/1\.1 401 [\s\S]*INVALID_TOKEN/],
    [`${path}?accountId=beta&accountId=acme`, ACME, /^HTTP\/1\.1 401 /],
    ['/api/agent/delegates/nobody/stream?accountId=acme', ACME, /^HTTP\/1\.1 404 [\s\S]*DELEGATE_NOT_REGISTERED/],
    ['/ng/api/accounts', ACME, /^HTTP\/1\.1 404 /],
    ['//', ACME, /^HTTP\/1\.1 404 /],
    ['//[', ACME, /^HTTP\/1\.1 404 /],
    [`https://beta.agent.localhost${path}?accountId=acme`, ACME, /^HTTP\/1\.1 421 /],
  ];
  for (const [target, host, expected] of cases) {
    const { socket } = await mtls();
    assert.match(await converse(socket, upgrade(target, host, authorization)), expected, `${target} at ${host}`);
  }
  const { socket: strange } = await mtls();
  assert.match(
    await converse(strange, upgrade(`${path}?accountId=acme`, ACME, foreign)),
    /^HTTP\/1\.1 401 [\s\S]*INVALID_TOKEN/,
  );
  const { socket: plainSocket } = await plain();
  assert.match(
    await converse(plainSocket, upgrade(`${path}?accountId=acme`, 'localhost', authorization)),
    /^HTTP\/1\.1 401 [\s\S]*INVALID_AGENT_MTLS_AUTHORITY/,
  );
  const { socket: right } = await mtls();
  assert.match(await ask(right, upgrade(`${path}?accountId=acme`, ACME, authorization)), /^HTTP\/1\.1 101 /);
  right.destroy();
  connection.close();
});

test('pipelined and smuggled requests are each judged on their own', async () => {
  const connection = await mtls();
  const agent = new DevAgent(connection, { accountId: 'acme', token: acme.token, name: 'pipelining' });
  await agent.register();
  const own = await agent.authorization();
  const foreign = await new DevAgent(connection, { accountId: 'beta', token: beta.token }).authorization();
  const beat = (accountId: string, authorization: string, host = ACME) => {
    const body = JSON.stringify({ delegateId: agent.id });
    return (
      `POST /api/agent/delegates/heartbeat-with-polling?accountId=${accountId} HTTP/1.1\r\nhost: ${host}\r\n` +
      `authorization: ${authorization}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n` +
      `\r\n${body}`
    );
  };
  const bye = `GET /healthz HTTP/1.1\r\nhost: ${ACME}\r\nconnection: close\r\n\r\n`;
  const { socket } = await mtls();
  const answers = await converse(
    socket,
    beat('acme', own) +
      beat('beta', foreign) +
      beat('beta', own) +
      beat('acme', foreign) +
      beat('acme', own, 'beta.agent.localhost') +
      beat('acme', own) +
      bye,
  );
  const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status);
  assert.deepEqual(statuses, ['200', '401', '401', '401', '421', '200', '200']);

  // One body, two ways to read its end: the request is refused, and nothing behind it is taken for a request.
  const hidden = beat('acme', own);
  for (const head of [
    'content-length: 4\r\ntransfer-encoding: chunked\r\n',
    'transfer-encoding: chunked\r\ncontent-length: 4\r\n',
    'content-length: 4\r\ncontent-length: 5\r\n',
    'transfer-encoding: xchunked\r\n',
    'transfer-encoding: chunked, identity\r\n',
    'content-length: +4\r\n',
    'content-length : 4\r\n',
  ]) {
    const { socket: smuggler } = await mtls();
    const answer = await converse(
      smuggler,
      `POST /healthz HTTP/1.1\r\nhost: ${ACME}\r\n${head}\r\n5\r\nhello\r\n0\r\n\r\n${hidden}`,
    );
    assert.match(answer, /^HTTP\/1\.1 400 /, head);
    assert.equal([...answer.matchAll(/HTTP\/1\.1 /g)].length, 1, head);
  }
  connection.close();
});

test('a connection that was kept for one account is not taken for another, in either order', async () => {
  const connection = await mtls();
  const own = new DevAgent(connection, { accountId: 'acme', token: acme.token, name: 'kept' });
  const foreign = new DevAgent(connection, { accountId: 'beta', token: beta.token, name: 'kept' });
  assert.equal((await foreign.register()).status, 401);
  assert.equal((await own.register()).status, 200);
  assert.equal((await foreign.register()).status, 401);
  assert.equal((await own.heartbeat()).status, 200);
  assert.equal(connection.isOpen, true);
  connection.close();
});

test('a public connection made without a name, to an address, has none to compare', async () => {
  const socket = await rawTls({ port: dev.manager.publicAddress.port, serverName: null });
  const answer = await converse(socket, 'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 200 /);
});
