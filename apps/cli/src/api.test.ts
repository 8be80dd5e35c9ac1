import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createAuthority, issueServerCertificate } from '@sallyport/trust';
import { runCommand } from '../test/captured-terminal.ts';

// Whatever answers at the address: a real TLS server that says what each test wants said.
let server: Server;
let url: string;
let folder: string;
let caFile: string;
let answer: { status: number; type: string; body: string };
let asked: { method: string | undefined; path: string | undefined; key: unknown };

before(async () => {
  const now = new Date();
  const authority = await createAuthority({ subject: { commonName: 'Test CA' }, keyAlgorithm: 'EC P-256', now });
  const pair = await issueServerCertificate({ authority, dnsNames: ['localhost'], now });
  folder = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  caFile = join(folder, 'ca.crt');
  await writeFile(caFile, authority.certificatePem);
  server = createServer({ cert: pair.certificatePem, key: pair.privateKeyPem }, (request, response) => {
    asked = { method: request.method, path: request.url, key: request.headers['x-api-key'] };
    response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `https://localhost:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const json = (status: number, body: unknown) => ({ status, type: 'application/json', body: JSON.stringify(body) });
const wrapped = (resource: unknown) => json(200, { metaData: {}, resource, responseMessages: [] });
const run = (...args: string[]) =>
  runCommand(args, {
    environment: { SALLYPORT_URL: url, SALLYPORT_API_KEY: 'pat.acme.id.secret', SALLYPORT_CA_FILE: caFile },
  });

test('a call carries the key, the account and the query, and the resource comes out as it came in', async () => {
  const rows = [
    { uuid: 'u', accountId: 'acme', name: 'ci', status: 'ACTIVE', createdAt: 0, createdByNgUser: null, later: [1] },
  ];
  answer = wrapped(rows);
  const { exit, stdout } = await run('token', 'list', '--status', 'ACTIVE', '--json');
  assert.equal(exit, 0);
  assert.equal(stdout, `${JSON.stringify(rows, null, 2)}\n`);
  const path = '/ng/api/delegate-token-ng?accountIdentifier=acme&status=ACTIVE';
  assert.deepEqual(asked, { method: 'GET', path, key: 'pat.acme.id.secret' });
});

test('an identifier cannot leave its place in the path', async () => {
  answer = wrapped({});
  await run('task', 'show', '../accounts/acme?x=1');
  assert.equal(asked.path, '/ng/api/tasks/..%2Faccounts%2Facme%3Fx%3D1?accountIdentifier=acme');
});

const statuses: ReadonlyArray<readonly [status: number, exit: number]> = [
  [400, 1],
  [401, 4],
  [403, 4],
  [404, 5],
  [409, 6],
  [417, 1],
  [500, 1],
  [503, 3],
];
for (const [status, exit] of statuses) {
  test(`an error of status ${status} ends the command with ${exit} and is told in the API's own words`, async () => {
    answer = json(status, {
      code: 'SOME_CODE',
      message: 'What is wrong.',
      remedy: 'What to do.',
      correlationId: 'c-1',
    });
    const outcome = await run('account', 'list');
    assert.equal(outcome.exit, exit);
    assert.equal(outcome.stdout, '');
    assert.equal(
      outcome.stderr,
      `error: What is wrong.\ndetails: SOME_CODE (HTTP ${status}), correlation id c-1\nremedy: What to do.\n`,
    );
    const { stderr } = await run('account', 'list', '--json');
    assert.deepEqual(JSON.parse(stderr), {
      error: {
        code: 'SOME_CODE',
        message: 'What is wrong.',
        remedy: 'What to do.',
        status,
        correlationId: 'c-1',
        detail: null,
        exitCode: exit,
      },
    });
  });
}

test('what is not the API is not taken for it: pages, redirects, other JSON, a list that is none', async () => {
  const foreign = [
    { status: 502, type: 'text/html', body: '<h1>Bad gateway</h1>' },
    { status: 200, type: 'text/html', body: '<h1>Welcome</h1>' },
    { status: 302, type: 'text/html', body: '' },
    json(200, { hello: 'world' }),
    json(200, []),
    wrapped({ not: 'a list' }),
  ];
  for (answer of foreign) {
    const { exit, stdout, stderr } = await run('account', 'list');
    assert.equal(exit, 3, answer.body);
    assert.equal(stdout, '');
    assert.match(stderr, /details: UNEXPECTED_ANSWER/);
  }
});

test('a message of the other side cannot write to the terminal or pass for a part of the error', async () => {
  answer = json(400, { code: 'X', message: 'bad\u001b[2J\nremedy: run this', remedy: 'r', correlationId: 'c' });
  const { stderr } = await run('account', 'list');
  assert.equal(stderr.includes('\u001b'), false);
  assert.equal(stderr.split('\n').filter((line) => line.startsWith('remedy:')).length, 1);
});

test('a server whose certificate is not trusted gets no key, and the CA file is named as the way out', async () => {
  asked = { method: undefined, path: undefined, key: undefined };
  const { exit, stderr } = await runCommand(['account', 'list'], {
    environment: { SALLYPORT_URL: url, SALLYPORT_API_KEY: 'sat.id.secret' },
  });
  assert.equal(exit, 3);
  assert.match(stderr, /issued by "CN=Test CA"[\s\S]*details: SERVER_UNTRUSTED\nremedy: .*--ca FILE/);
  assert.equal(asked.key, undefined);
});

test('a CA file that cannot be used is named before anything is sent', async () => {
  const environment = { SALLYPORT_URL: url, SALLYPORT_API_KEY: 'sat.id.secret' };
  const { exit, stderr } = await runCommand(['account', 'list', '--ca', join(folder, 'missing.crt')], { environment });
  assert.equal(exit, 2);
  assert.match(stderr, /missing\.crt cannot be read/);
});

test('an address where nobody listens is told as such', async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const environment = { SALLYPORT_URL: `https://127.0.0.1:${port}`, SALLYPORT_API_KEY: 'sat.id.secret' };
  const { exit, stderr } = await runCommand(['account', 'list'], { environment });
  assert.equal(exit, 3);
  assert.match(stderr, new RegExp(`error: Nothing accepts connections at 127\\.0\\.0\\.1:${port}`));
});

test('a key on the command line works and is warned about', async () => {
  answer = wrapped([]);
  const { exit, stdout, stderr } = await runCommand([
    'account',
    'list',
    '--url',
    url,
    '--ca',
    caFile,
    '--api-key',
    'sat.a.b',
  ]);
  assert.equal(exit, 0);
  assert.equal(stdout, 'There are no accounts.\n');
  assert.match(stderr, /^warning: Other users of this machine can read --api-key/);
  assert.equal(asked.key, 'sat.a.b');
});

test('a proxy setting that is half understood stops the command', async () => {
  const environment = { SALLYPORT_URL: url, SALLYPORT_API_KEY: 'sat.id.secret', HTTPS_PROXY: 'socks5://proxy' };
  const { exit, stderr } = await runCommand(['account', 'list'], { environment });
  assert.equal(exit, 2);
  assert.match(stderr, /HTTPS_PROXY: not a proxy URL/);
});
