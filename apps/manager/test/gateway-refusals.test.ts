import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import {
  converse,
  type DevAccount,
  DevAgent,
  type DevBody,
  DevManager,
  eventually,
  KeptConnection,
  rawTls,
  TestAuthority,
} from '@sallyport/dev-env';
import { createAuthority, type IssuedPair, issueClientCertificate, issueServerCertificate } from '@sallyport/trust';

const DAY = 86_400_000;
const now = new Date();
const inDays = (days: number) => new Date(now.getTime() + days * DAY);

let dev: DevManager;
let acmeCa: IssuedPair;
let betaCa: TestAuthority;
let acme: DevAccount;
let beta: DevAccount;

before(async () => {
  dev = await DevManager.start();
  acmeCa = await createAuthority({
    subject: { organization: 'Acme ORG', commonName: 'Acme CA' },
    keyAlgorithm: 'EC P-256',
    now: inDays(-60),
  });
  betaCa = await TestAuthority.create('Beta CA');
  acme = await dev.account('acme', { caCertificates: acmeCa.certificatePem, mode: 'LOOSE' });
  beta = await dev.account('beta', { caCertificates: betaCa.certificatePem, mode: 'STRICT' });
});
after(() => dev.stop());

type Certificate = Pick<IssuedPair, 'certificatePem' | 'privateKeyPem' | 'facts'>;

function issue(name: string, issuedAt = now, days = 30, authority = acmeCa): Promise<IssuedPair> {
  return issueClientCertificate({ authority, name, keyAlgorithm: 'EC P-256', days, now: issuedAt });
}

async function refusals(account: DevAccount = acme): Promise<DevBody[]> {
  const path = `/ng/api/agent/mtls/refusals?accountIdentifier=${account.id}`;
  return (await dev.must('GET', path, undefined, account.viewerKey)) as unknown as DevBody[];
}

async function refusalOf(reason: string, fingerprint?: string): Promise<DevBody> {
  const found = (await refusals()).find(
    (refusal) =>
      String(refusal['reason']) === reason &&
      (fingerprint === undefined || String(refusal['certificate']?.['fingerprint']) === fingerprint),
  );
  assert.ok(found, `${reason} is recorded`);
  return found;
}

interface Case {
  readonly reason: string;
  readonly message: RegExp;
  readonly certificate: () => Promise<Certificate>;
}

const CASES: Readonly<Record<string, Case>> = {
  'an expired certificate': {
    reason: 'CLIENT_CERTIFICATE_EXPIRED',
    message: /"CN=late" expired 20 days ago/,
    certificate: () => issue('late', inDays(-30), 10),
  },
  'a certificate from the future': {
    reason: 'CLIENT_CERTIFICATE_NOT_YET_VALID',
    message: /"CN=early" becomes valid in/,
    certificate: () => issue('early', inDays(3)),
  },
  'a certificate of a stranger, naming the issuer that it shows': {
    reason: 'UNKNOWN_ISSUER',
    message: /was issued by "CN=Stranger CA"; the endpoint trusts "CN=Acme CA, O=Acme ORG"/,
    certificate: async () => (await TestAuthority.create('Stranger CA')).client('foreign'),
  },
  'a certificate of another account': {
    reason: 'UNKNOWN_ISSUER',
    message: /was issued by "CN=Beta CA"/,
    certificate: () => betaCa.client('neighbour'),
  },
  'a certificate without the intermediate above it': {
    reason: 'INTERMEDIATE_MISSING',
    message: /needs the intermediate "CN=Issuing CA, O=Acme ORG"/,
    certificate: async () => issue('below', now, 30, await issuingCa()),
  },
  'a certificate that is for servers': {
    reason: 'WRONG_PURPOSE',
    message: /is for serverAuth, not for TLS clients/,
    certificate: () =>
      issueServerCertificate({ authority: acmeCa, dnsNames: ['server'], keyAlgorithm: 'EC P-256', days: 9, now }),
  },
  'the CA itself': {
    reason: 'CA_AS_LEAF',
    message: /presented the CA certificate "CN=Acme CA, O=Acme ORG" as its own/,
    certificate: async () => acmeCa,
  },
  'a CA below the trusted one': {
    reason: 'CA_AS_LEAF',
    message: /presented the CA certificate "CN=Issuing CA/,
    certificate: issuingCa,
  },
};

function issuingCa(): Promise<IssuedPair> {
  return createAuthority({
    subject: { organization: 'Acme ORG', commonName: 'Issuing CA' },
    keyAlgorithm: 'EC P-256',
    now: inDays(-60),
    issuer: acmeCa,
  });
}

for (const [title, { reason, message, certificate }] of Object.entries(CASES)) {
  test(`${title} is refused with ${reason}, in the answer and in the account's record`, async () => {
    const presented = await certificate();
    const started = Date.now();
    const answer = await dev.request(`${dev.mtlsUrl('acme')}/healthz`, { certificate: presented });
    assert.equal(answer.status, 401);
    assert.equal(answer.body['code'], reason);
    assert.match(String(answer.body['message']), message);
    assert.ok(String(answer.body['remedy']).length > 10);
    assert.equal(answer.headers['x-harness-error'], reason);
    assert.equal(answer.headers['connection'], 'close');

    const { facts } = presented;
    const recorded = await refusalOf(reason, facts.fingerprint256);
    assert.match(String(recorded['message']), message);
    assert.ok(String(recorded['remedy']).length > 10);
    assert.equal(recorded['serverName'], 'acme.agent.localhost');
    assert.equal(recorded['remoteAddress'], '127.0.0.1');
    assert.equal(recorded['count'], 1);
    const seen = Number(recorded['lastSeen']);
    assert.ok(seen >= started && seen <= Date.now(), 'with the time');
    assert.partialDeepStrictEqual(recorded['certificate'], {
      subject: facts.subject,
      issuer: facts.issuer,
      serialNumber: facts.serialNumber,
      fingerprint: facts.fingerprint256,
      notBefore: facts.notBefore.getTime(),
      notAfter: facts.notAfter.getTime(),
    });
  });
}

test('with its intermediate, the same kind of certificate is admitted', async () => {
  const intermediate = await issuingCa();
  const leaf = await issue('below', now, 30, intermediate);
  const certificate = { ...leaf, certificatePem: leaf.certificatePem + intermediate.certificatePem };
  assert.equal((await dev.request(`${dev.mtlsUrl('acme')}/healthz`, { certificate })).status, 200);
});

test('a client without a certificate, and a name without an endpoint, are refused and recorded where they belong', async () => {
  const none = await dev.request(`${dev.mtlsUrl('acme')}/healthz`);
  assert.equal(none.status, 401);
  assert.equal(none.body['code'], 'NO_CLIENT_CERTIFICATE');
  const recorded = await refusalOf('NO_CLIENT_CERTIFICATE');
  assert.equal(recorded['certificate'], null);
  assert.equal(recorded['remoteAddress'], '127.0.0.1');

  const unknown = await dev.request(`${dev.mtlsUrl('nobody')}/healthz`, { certificate: await issue('lost') });
  assert.equal(unknown.status, 421);
  assert.equal(unknown.body['code'], 'UNKNOWN_ENDPOINT');
  assert.match(String(unknown.body['message']), /"nobody\.agent\.localhost"/);
  for (const account of [acme, beta]) {
    const reasons = (await refusals(account)).map((refusal) => String(refusal['reason']));
    assert.ok(!reasons.includes('UNKNOWN_ENDPOINT'), "it is no account's affair");
  }
});

test('refusals of one cause by one client are one line with a count, and a viewer of another account sees none', async () => {
  const certificate = await issue('again', inDays(-30), 5);
  for (let time = 0; time < 3; time += 1) await dev.request(`${dev.mtlsUrl('acme')}/healthz`, { certificate });
  const recorded = await refusalOf('CLIENT_CERTIFICATE_EXPIRED', certificate.facts.fingerprint256);
  assert.equal(recorded['count'], 3);
  assert.ok(Number(recorded['firstSeen']) <= Number(recorded['lastSeen']));
  const foreign = await dev.api('GET', '/ng/api/agent/mtls/refusals?accountIdentifier=acme', undefined, beta.viewerKey);
  assert.equal(foreign.status, 403);
});

test('a delegate that uses the token of another account through its own endpoint is refused at the second door', async () => {
  const certificate = await issue('curious');
  const connection = await KeptConnection.open({
    port: dev.manager.mtlsAddress.port,
    serverName: 'acme.agent.localhost',
    certificate,
  });
  const own = new DevAgent(connection, { accountId: 'acme', token: acme.token });
  assert.equal((await own.register()).status, 200);
  const foreign = new DevAgent(connection, { accountId: 'beta', token: beta.token });
  const answer = await foreign.register();
  assert.equal(answer.status, 401);
  assert.equal(answer.body['code'], 'INVALID_AGENT_MTLS_AUTHORITY');
  assert.match(String(answer.body['message']), /came through the mTLS endpoint acme\.agent\.localhost/);
  const [recorded] = await refusals(beta);
  assert.equal(recorded?.['reason'], 'AUTHORITY_MISMATCH');
  assert.equal(recorded?.['certificate']?.['fingerprint'], certificate.facts.fingerprint256);

  const wrongToken = new DevAgent(connection, { accountId: 'beta', token: acme.token });
  const stranger = await wrongToken.register();
  assert.equal(stranger.body['code'], 'INVALID_AGENT_MTLS_AUTHORITY');
  assert.doesNotMatch(
    JSON.stringify(stranger.body),
    /beta\.agent/,
    'who holds no token of it is not told its endpoint',
  );
  assert.equal((await own.heartbeat()).status, 200, 'its own account is still served');
  connection.close();
});

test('a plain delegate of a STRICT account is refused, told where to go, and recorded', async () => {
  const connection = await KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
  const answer = await new DevAgent(connection, { accountId: 'beta', token: beta.token }).register();
  assert.equal(answer.status, 401);
  assert.equal(answer.body['code'], 'INVALID_AGENT_MTLS_AUTHORITY');
  assert.match(String(answer.body['remedy']), /beta\.agent\.localhost/);
  assert.ok((await refusals(beta)).some((refusal) => String(refusal['reason']) === 'MTLS_REQUIRED'));
  connection.close();
});

function refusedConnection(): Promise<TLSSocket> {
  return rawTls({ port: dev.manager.mtlsAddress.port, serverName: 'acme.agent.localhost' });
}

const ANSWER = /^HTTP\/1\.1 401 [\s\S]*"code":"NO_CLIENT_CERTIFICATE"/;

test('no path of the API answers a refused client, whatever key it sends', async () => {
  const { paths } = (await dev.api('GET', '/openapi.json')).body as unknown as {
    paths: Record<string, Record<string, unknown>>;
  };
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{(\w+)\}/g, (_all, name) => (/account/i.test(name) ? 'beta' : 'x')),
    })),
  );
  assert.ok(calls.length > 30, `${calls.length} calls`);
  const before = answeredRequests();
  for (const { method, path } of calls) {
    for (const prefix of ['', '/gateway']) {
      const answer = await converse(
        await refusedConnection(),
        `${method} ${prefix}${path}?accountIdentifier=acme&accountId=acme HTTP/1.1\r\nhost: acme.agent.localhost\r\n` +
          `x-api-key: ${dev.operatorKey}\r\ncontent-length: 0\r\n\r\n`,
      );
      assert.match(answer, ANSWER, `${method} ${prefix}${path}`);
    }
  }
  assert.equal(answeredRequests(), before, 'and the API has not seen one of them');
});

/** Requests that the API has answered so far, by its log. */
function answeredRequests(): number {
  return dev.log().split('"msg":"request"').length - 1;
}

test('a second request on a refused connection is not even read, be it pipelined or hidden in a body', async () => {
  const create = (id: string) => {
    const body = JSON.stringify({ identifier: id });
    return (
      `POST /ng/api/accounts HTTP/1.1\r\nhost: acme.agent.localhost\r\nx-api-key: ${dev.operatorKey}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    );
  };
  const head = (more: string, line = 'GET /healthz HTTP/1.1') => `${line}\r\nhost: acme.agent.localhost\r\n${more}\r\n`;
  const hidden = create('hidden');
  const attacks: Record<string, string> = {
    pipelined: head('') + create('pipelined'),
    'pipelined behind the precheck': head('', 'GET /api/account/acme/status HTTP/1.1') + create('behind'),
    'in a body': head(`content-length: ${hidden.length}\r\n`, 'POST / HTTP/1.1') + hidden,
    'length and chunks':
      head('content-length: 4\r\ntransfer-encoding: chunked\r\n', 'POST / HTTP/1.1') +
      `5\r\nhello\r\n0\r\n\r\n${create('chunked')}`,
    'two lengths': head('content-length: 0\r\ncontent-length: 44\r\n', 'POST / HTTP/1.1') + create('lengths'),
    'spaced chunks': `${head('transfer-encoding : chunked\r\n', 'POST / HTTP/1.1')}0\r\n\r\n${create('spaced')}`,
    'bare line feeds': `GET / HTTP/1.1\nhost: acme.agent.localhost\n\n${create('bare')}`,
    'after an upgrade': head('connection: upgrade\r\nupgrade: websocket\r\n') + create('upgraded'),
    tunnel: head('', 'CONNECT localhost:7443 HTTP/1.1') + create('tunnel'),
    'absolute form': head('', `GET https://localhost/ng/api/accounts HTTP/1.1`) + create('absolute'),
    'HTTP/1.0': head('', 'GET /healthz HTTP/1.0') + create('old'),
  };
  for (const [name, text] of Object.entries(attacks)) {
    const answer = await converse(await refusedConnection(), text);
    assert.ok(answer.split('HTTP/1.1 ').length <= 2, `${name}: one answer at most`);
    if (name.includes('precheck')) assert.match(answer, /^HTTP\/1.1 200 [\s\S]*"ACTIVE"/);
    else assert.ok(answer === '' || ANSWER.test(answer), `${name}: ${answer.slice(0, 80)}`);
  }
  const accounts = (await dev.must('GET', '/ng/api/accounts')) as unknown as DevBody[];
  assert.deepEqual(accounts.map((account) => String(account['identifier'])).sort(), ['acme', 'beta']);
});

test('an upgrade on a refused connection gets the same answer', async () => {
  const agent = new DevAgent(
    await KeptConnection.open({ port: dev.manager.mtlsAddress.port, serverName: 'acme.agent.localhost' }),
    { accountId: 'acme', token: acme.token },
  );
  const answer = await converse(
    agent.connection.socket,
    'GET /api/agent/delegates/x/stream?accountId=acme HTTP/1.1\r\nhost: acme.agent.localhost\r\n' +
      'connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
      `sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nauthorization: ${await agent.authorization()}\r\n\r\n`,
  );
  assert.match(answer, ANSWER);
});

test('the reason reaches a client that sends a large body, and one that never sends all of it', async () => {
  // As many clients do, this one reads nothing before it has sent everything.
  const eager = await refusedConnection();
  eager.pause();
  const body = Buffer.alloc(16 * 1024 * 1024, 'x');
  eager.write(`POST /ng/api/accounts HTTP/1.1\r\nhost: acme.agent.localhost\r\ncontent-length: ${body.length}\r\n\r\n`);
  await new Promise<void>((resolve, reject) => {
    eager.once('error', reject);
    eager.write(body, () => resolve());
  });
  const told = converse(eager, '');
  eager.resume();
  assert.match(await told, ANSWER);

  const socket = await refusedConnection();
  let answer = '';
  socket.on('data', (data: Buffer) => {
    answer += data.toString();
  });
  socket.write('POST / HTTP/1.1\r\nhost: acme.agent.localhost\r\ncontent-length: 1000000000\r\n\r\nhello');
  await eventually('the answer comes before the body does', () => ANSWER.test(answer), 2_000);
  socket.destroy();
});

test('the start-up precheck tells of the own account only, by GET, and only to who has no certificate at all', async () => {
  const at = dev.mtlsUrl('acme');
  for (const path of ['/api/account/acme/status', '/gateway/api/account/acme/status', '/api/account/acme/status?x=1']) {
    const answer = await dev.request(at + path);
    assert.equal(answer.status, 200, path);
    assert.deepEqual(answer.body, { metaData: {}, resource: 'ACTIVE', responseMessages: [] });
  }
  const count = Number((await refusalOf('NO_CLIENT_CERTIFICATE'))['count']);
  await dev.request(`${at}/api/account/acme/status`);
  assert.equal((await refusalOf('NO_CLIENT_CERTIFICATE'))['count'], count, 'a precheck is no refusal');

  const expired = await issue('late', inDays(-30), 3);
  const attempts = [
    { path: '/api/account/beta/status' },
    { path: '/api/account/acme/status/' },
    { path: '/api/account/acme%2f/status' },
    { path: '/api/account/acme/status', method: 'POST' },
    { path: '/api/account/acme/status', method: 'HEAD' },
    { path: '/api/account/acme/status', certificate: expired },
  ];
  for (const { path, ...options } of attempts) {
    assert.equal((await dev.request(at + path, options)).status, 401, `${options.method ?? 'GET'} ${path}`);
  }
  assert.equal((await dev.request(`${dev.mtlsUrl('nobody')}/api/account/acme/status`)).status, 421);
});
