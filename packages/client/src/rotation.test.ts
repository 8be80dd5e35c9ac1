import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { after, type TestContext, test } from 'node:test';
import { errorBody, SallyportError } from '@sallyport/protocol';
import { type Pair, TestAuthority } from '../test/certificates.ts';
import { clientName, serve, type TestServer } from '../test/servers.ts';
import { ClientCertificateSource } from './client-certificate-source.ts';
import { ManagerClient, type ManagerClientOptions } from './manager-client.ts';

const authority = new TestAuthority();
const pairs = {
  first: authority.client('first'),
  second: authority.client('second'),
  third: authority.client('third'),
};
after(() => authority.remove());

interface Setup {
  readonly client: ManagerClient;
  readonly server: TestServer;
  /** Names of the certificates that requests came with. */
  readonly requests: string[];
  rotate(pair: Pair): void;
}

let folders = 0;

/** A client with the first pair, at a server that refuses the certificates in `refused` as the manager does. */
async function setup(
  context: TestContext,
  refused: Set<string>,
  options: Partial<ManagerClientOptions> = {},
  onRequest: RequestListener = (_request, response) => response.end('{}'),
): Promise<Setup> {
  const requests: string[] = [];
  const server = await serve(context, authority, (request, response) => {
    const name = clientName(request.socket);
    requests.push(name);
    if (!refused.has(name)) return onRequest(request, response);
    const refusal = new SallyportError('UNKNOWN_ISSUER', `the issuer of ${name} is not known`);
    response.writeHead(401, { connection: 'close' }).end(JSON.stringify(errorBody(refusal, 'c')));
  });
  folders += 1;
  const name = `pair-${folders}`;
  const [certificatePath, keyPath] = authority.write(name, pairs.first);
  const source = await ClientCertificateSource.open({ certificatePath, keyPath, settleMs: 10, pollIntervalMs: 20 });
  context.after(() => source.close());
  const client = await ManagerClient.create({
    baseUrl: server.url,
    extraCaFiles: [authority.certificatePath],
    clientCertificate: source,
    rotationProbe: () => ({ method: 'POST', path: '/heartbeat' }),
    rotation: { retryBaseMs: 20, retryMaxMs: 40 },
    ...options,
  });
  context.after(() => client.close());
  return { client, server, requests, rotate: (pair) => void authority.write(name, pair) };
}

const get = { method: 'GET', path: '/x' } as const;

test('a new pair is proved by a request of its own before it is used, without losing the request under way', async (context) => {
  const held = Promise.withResolvers<void>();
  const holding = Promise.withResolvers<void>();
  const { client, requests, rotate } = await setup(context, new Set(), {}, (request, response) => {
    if (request.url === '/slow') {
      holding.resolve();
      void held.promise.then(() => response.end('"done"'));
    } else response.end('{}');
  });
  const slow = client.request({ method: 'GET', path: '/slow' });
  await holding.promise;
  rotate(pairs.second);
  const [identity] = await once(client, 'rotated');
  assert.equal(identity.subject, 'CN=second');
  assert.deepEqual(requests, ['first', 'second']);
  held.resolve();
  assert.equal(await slow, 'done');
  await client.request(get);
  assert.deepEqual(requests, ['first', 'second', 'second']);
});

test('a new pair that the manager refuses is told once and the old one stays in use; it is adopted once it is taken', async (context) => {
  const refused = new Set(['second']);
  const { client, requests, rotate } = await setup(context, refused);
  await client.request(get);
  const told: string[] = [];
  client.on('rotation-refused', ({ identity, error }) => told.push(`${identity.subject}: ${(error as Error).message}`));
  rotate(pairs.second);
  await once(client, 'rotation-refused');
  while (requests.filter((name) => name === 'second').length < 3) await client.request(get);
  assert.deepEqual(told, ['CN=second: the issuer of second is not known']);
  assert.equal(client.identity?.subject, 'CN=first');

  refused.clear();
  await once(client, 'rotated');
  assert.equal(client.identity?.subject, 'CN=second');
});

test('a refused new pair is adopted when the old one is refused as well', async (context) => {
  const refused = new Set(['second']);
  const { client, rotate } = await setup(context, refused, {
    rotation: { retryBaseMs: 3_600_000, retryMaxMs: 3_600_000 },
  });
  rotate(pairs.second);
  await once(client, 'rotation-refused');
  refused.add('first');
  const rotated = once(client, 'rotated');
  await assert.rejects(client.request(get), /first is not known/);
  await rotated;
  assert.equal(client.identity?.subject, 'CN=second');
});

test('a newer pair takes the place of one that is still being tried', async (context) => {
  const { client, rotate } = await setup(context, new Set(['second']));
  rotate(pairs.second);
  await once(client, 'rotation-refused');
  rotate(pairs.third);
  const [identity] = await once(client, 'rotated');
  assert.equal(identity.subject, 'CN=third');
});

test('while nothing was admitted yet, a new pair is used at once', async (context) => {
  const { client, requests, rotate } = await setup(context, new Set(['first']), { rotationProbe: () => null });
  await assert.rejects(client.request(get), /first is not known/);
  rotate(pairs.second);
  await once(client, 'rotated');
  await client.request(get);
  assert.deepEqual(requests, ['first', 'second']);
});

test('without a client certificate source none is ever sent', async (context) => {
  const { server } = await setup(context, new Set());
  const plain = await ManagerClient.create({ baseUrl: server.url, extraCaFiles: [authority.certificatePath] });
  context.after(() => plain.close());
  await plain.request(get);
  assert.deepEqual(server.handshakes, ['']);
});
