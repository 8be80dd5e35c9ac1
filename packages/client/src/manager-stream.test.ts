import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, type TestContext, test } from 'node:test';
import { errorBody, SallyportError } from '@sallyport/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { TestAuthority } from '../test/certificates.ts';
import { proxy, serve, type TestServer } from '../test/servers.ts';
import { ManagerError, TransportError } from './errors.ts';
import { ManagerClient, type ManagerClientOptions } from './manager-client.ts';
import { readProxySettings } from './proxy-settings.ts';

const authority = new TestAuthority();
after(() => authority.remove());

async function clientOf(context: TestContext, { url }: TestServer, options: Partial<ManagerClientOptions> = {}) {
  const extraCaFiles = [authority.certificatePath];
  const client = await ManagerClient.create({ baseUrl: url, extraCaFiles, ...options });
  context.after(() => client.close());
  return client;
}

/** A server that upgrades everybody; `accept` is called with each stream in the moment it opens. */
async function streaming(context: TestContext, accept: (socket: WebSocket) => void): Promise<TestServer> {
  const server = await serve(context, authority, (_request, response) => response.end('{}'));
  const sockets = new WebSocketServer({ server: server.server });
  sockets.on('connection', accept);
  context.after(() => {
    for (const socket of sockets.clients) socket.terminate();
  });
  return server;
}

const path = '/api/agent/delegates/d-1/stream';

test('messages arrive, the first one right behind the upgrade included, and the request is authenticated', async (context) => {
  const server = await streaming(context, (socket) => {
    socket.send('{"n":1}');
    socket.send('{"n":2}');
  });
  const seen = once(server.server, 'upgrade');
  const client = await clientOf(context, server, { authentication: async () => ({ authorization: 'Delegate x' }) });
  const messages: unknown[] = [];
  const second = Promise.withResolvers<void>();
  const stream = await client.openStream({ path, query: { accountId: 'acc-1' } }, (message) => {
    messages.push(message);
    if (messages.length === 2) second.resolve();
  });
  await second.promise;
  assert.deepEqual(messages, [{ n: 1 }, { n: 2 }]);
  const [request] = await seen;
  assert.equal(request.url, `${path}?accountId=acc-1`);
  assert.equal(request.headers.authorization, 'Delegate x');
  stream.close();
  assert.deepEqual(await stream.ended, { code: 1000, refusal: null });
});

test('heartbeats are sent while the stream is open', async (context) => {
  const opened = Promise.withResolvers<WebSocket>();
  const server = await streaming(context, opened.resolve);
  const client = await clientOf(context, server, { streamHeartbeatMs: 20 });
  const stream = await client.openStream({ path }, () => undefined);
  const socket = await opened.promise;
  for (let n = 0; n < 3; n += 1) {
    const [data] = await once(socket, 'message');
    assert.equal(String(data), '{}');
  }
  stream.close();
});

test('a peer that no longer gives a sign of life is given up', async (context) => {
  // Upgraded, then nobody answers pings.
  const server = await streaming(context, (socket) => socket.pause());
  const client = await clientOf(context, server, { streamHeartbeatMs: 20 });
  const stream = await client.openStream({ path }, () => undefined);
  assert.deepEqual(await stream.ended, { code: 1006, refusal: null });
});

test("a stream that the manager ends because trust no longer holds tells the manager's reason", async (context) => {
  const server = await streaming(context, (socket) => socket.close(4401, 'REVOKED_TOKEN: the token "ci" was revoked'));
  const client = await clientOf(context, server);
  const stream = await client.openStream({ path }, () => undefined);
  const { refusal } = await stream.ended;
  assert.equal(refusal?.code, 'REVOKED_TOKEN');
  assert.equal(refusal?.message, 'the token "ci" was revoked');
  assert.match(refusal?.remedy ?? '', /active/);
});

test('a refused upgrade is told in the words of the manager, or as a path that passes no upgrades', async (context) => {
  const refusal = new SallyportError('INVALID_AGENT_MTLS_AUTHORITY', 'plain, but the endpoint is STRICT');
  const refusing = await serve(context, authority, () => undefined);
  refusing.server.on('upgrade', (_request, socket) => {
    const body = JSON.stringify(errorBody(refusal, 'c-1'));
    socket.end(`HTTP/1.1 401 Unauthorized\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
  });
  await assert.rejects(
    (await clientOf(context, refusing)).openStream({ path }, () => undefined),
    (error: unknown) => error instanceof ManagerError && error.message === refusal.message,
  );
  const stripping = await serve(context, authority, (_request, response) =>
    response.writeHead(404).end('nothing here'),
  );
  await assert.rejects(
    (await clientOf(context, stripping)).openStream({ path }, () => undefined),
    (error: unknown) => error instanceof TransportError && error.failure === 'UPGRADE_REFUSED',
  );
});

test('an upgrade that is never answered is given up', async (context) => {
  const server = await serve(context, authority, () => undefined);
  server.server.on('upgrade', () => undefined);
  const client = await clientOf(context, server, { requestTimeoutMs: 50 });
  await assert.rejects(
    client.openStream({ path }, () => undefined),
    (error: unknown) => error instanceof TransportError && error.failure === 'TIMEOUT',
  );
});

test('the stream goes through the proxy too', async (context) => {
  const server = await streaming(context, (socket) => socket.close(1000));
  const { port, tunnels } = await proxy(context);
  const settings = readProxySettings({ HTTPS_PROXY: `http://127.0.0.1:${port}` }).proxy;
  const client = await clientOf(context, server, { proxy: settings });
  const stream = await client.openStream({ path }, () => undefined);
  await stream.ended;
  assert.equal(tunnels.length, 1);
});
