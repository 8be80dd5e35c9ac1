import assert from 'node:assert/strict';
import { createServer as createTcpServer } from 'node:net';
import { after, type TestContext, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { errorBody, SallyportError } from '@sallyport/protocol';
import { TestAuthority } from '../test/certificates.ts';
import { listening, proxy, readBody, serve, strictOpensslServer } from '../test/servers.ts';
import { ClientCertificateSource } from './client-certificate-source.ts';
import { ManagerError, TransportError } from './errors.ts';
import { ManagerClient, type ManagerClientOptions } from './manager-client.ts';
import { readProxySettings } from './proxy-settings.ts';

const authority = new TestAuthority();
after(() => authority.remove());

async function clientOf(context: TestContext, baseUrl: string, options: Partial<ManagerClientOptions> = {}) {
  const client = await ManagerClient.create({ baseUrl, extraCaFiles: [authority.certificatePath], ...options });
  context.after(() => client.close());
  return client;
}

const get = { method: 'GET', path: '/x' } as const;

async function transportError(attempt: Promise<unknown>, failure: string, message: RegExp): Promise<void> {
  await assert.rejects(attempt, (error: unknown) => {
    assert.ok(error instanceof TransportError, String(error));
    assert.equal(error.failure, failure, error.message);
    assert.match(error.message, message);
    assert.notEqual(error.remedy, '');
    return true;
  });
}

test('a name below localhost is reached without the system resolver, and its server verified by name and CA', async (context) => {
  const { url } = await serve(context, authority, async (request, response) => {
    const { method, headers } = request;
    response.end(
      JSON.stringify({ method, url: request.url, auth: headers.authorization, body: await readBody(request) }),
    );
  });
  const client = await clientOf(context, `${url}/gateway/`, {
    authentication: async () => ({ authorization: 'Delegate a..b.c.d' }),
  });
  const answer = await client.request({ method: 'POST', path: '/x', query: { accountId: 'a b' }, body: { n: 1 } });
  assert.deepEqual(answer, {
    method: 'POST',
    url: '/gateway/x?accountId=a+b',
    auth: 'Delegate a..b.c.d',
    body: '{"n":1}',
  });
});

test('requests one after the other share a connection', async (context) => {
  const { url, handshakes } = await serve(context, authority, (_request, response) => response.end('{}'));
  const client = await clientOf(context, url);
  for (let n = 0; n < 5; n += 1) await client.request(get);
  assert.equal(handshakes.length, 1);
});

test("a refusal arrives as the manager's own code, words and remedy", async (context) => {
  const refusal = new SallyportError('SERVICE_UNAVAILABLE', 'the database is away', { remedy: 'wait for it' });
  const { url } = await serve(context, authority, (_request, response) => {
    response.writeHead(503, { 'retry-after': '7' }).end(JSON.stringify(errorBody(refusal, 'c-1')));
  });
  const client = await clientOf(context, url);
  await assert.rejects(client.request(get), (error: unknown) => {
    assert.ok(error instanceof ManagerError);
    const { status, code, message, remedy, correlationId, retryAfterMs } = error;
    assert.deepEqual(
      { status, code, message, remedy, correlationId, retryAfterMs },
      {
        status: 503,
        code: 'SERVICE_UNAVAILABLE',
        message: 'the database is away',
        remedy: 'wait for it',
        correlationId: 'c-1',
        retryAfterMs: 7000,
      },
    );
    return true;
  });
});

test('a refusal in the older envelope is understood, with the remedy of its code', async (context) => {
  const { url } = await serve(context, authority, (_request, response) => {
    const message = { code: 'REVOKED_TOKEN', level: 'ERROR', message: 'Unauthorized' };
    response.writeHead(401).end(JSON.stringify({ metaData: {}, resource: null, responseMessages: [message] }));
  });
  const client = await clientOf(context, url);
  await assert.rejects(client.request(get), (error: unknown) => {
    assert.ok(error instanceof ManagerError);
    assert.equal(error.code, 'REVOKED_TOKEN');
    assert.match(error.remedy, /active/);
    return true;
  });
});

test('a refusal that is answered before the request is read, on a connection that is closed at once, is still read', async (context) => {
  const body = JSON.stringify(errorBody(new SallyportError('UNKNOWN_ISSUER', 'issued by CN=Other'), 'c-2'));
  const head = `HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  const pair = authority.server('manager.localhost');
  for (const when of ['at the handshake', 'at the first bytes'] as const) {
    const server = createTlsServer({ cert: pair.certificate, key: pair.key }, (socket) => {
      const answer = () => {
        socket.end(head + body);
        socket.destroySoon();
      };
      socket.on('error', () => socket.destroy());
      if (when === 'at the handshake') answer();
      else socket.once('data', () => socket.pause() && answer());
    });
    const port = await listening(context, server);
    const client = await clientOf(context, `https://manager.localhost:${port}`);
    for (const size of [10, 200_000]) {
      await assert.rejects(
        client.request({ method: 'POST', path: '/x', body: 'x'.repeat(size) }),
        (error: unknown) => error instanceof ManagerError && error.code === 'UNKNOWN_ISSUER',
        `${when}, ${size} bytes`,
      );
    }
  }
});

test('a server whose issuer is not trusted gets no request, and its issuer is named', async (context) => {
  const other = new TestAuthority('Inspecting Proxy CA');
  context.after(() => other.remove());
  let requests = 0;
  const { url } = await serve(context, other, (_request, response) => {
    requests += 1;
    response.end('{}');
  });
  const client = await clientOf(context, url);
  await transportError(client.request(get), 'SERVER_UNTRUSTED', /issued by "CN=Inspecting Proxy CA"/);
  assert.equal(requests, 0);
});

test('a trusted certificate for another name gets no request', async (context) => {
  let requests = 0;
  const pair = authority.server('other.localhost');
  const count = () => {
    requests += 1;
  };
  const { url } = await serve(context, authority, count, { pair });
  const client = await clientOf(context, url);
  await transportError(client.request(get), 'SERVER_NAME_MISMATCH', /other names: DNS:other\.localhost/);
  await transportError(
    client.openStream(get, () => undefined),
    'SERVER_NAME_MISMATCH',
    /other names/,
  );
  assert.equal(requests, 0);
});

test('failures of the way are told apart', async (context) => {
  const plain = createTcpServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const silent = createTcpServer(() => undefined);
  const rude = createTcpServer((socket) => socket.destroy());
  const [plainPort, silentPort, rudePort] = await Promise.all([plain, silent, rude].map((s) => listening(context, s)));
  const closed = createTcpServer();
  const closedPort = await listening(context, closed);
  closed.close();
  const at = async (host: string, options?: Partial<ManagerClientOptions>) =>
    (await clientOf(context, `https://${host}`, options)).request(get);
  await transportError(at(`127.0.0.1:${closedPort}`), 'CONNECTION_REFUSED', /Nothing accepts connections at 127/);
  await transportError(at(`m.localhost:${plainPort}`), 'TLS_FAILED', /does not speak TLS/);
  await transportError(at(`m.localhost:${rudePort}`), 'CONNECTION_LOST', /closed the connection/);
  await transportError(at(`m.localhost:${silentPort}`, { connectTimeoutMs: 50 }), 'TIMEOUT', /in time/);
  await transportError(at(`m.localhost:${silentPort}`, { requestTimeoutMs: 50 }), 'TIMEOUT', /in time/);
});

test('a server that ends the handshake for want of a client certificate is understood by its alert', async (context) => {
  const port = await strictOpensslServer(context, authority);
  const client = await clientOf(context, `https://manager.localhost:${port}`);
  await transportError(client.request(get), 'TLS_ALERT', /no client certificate was sent/);
});

test('an answer of something that is no manager is told as such, and a redirect is not followed', async (context) => {
  const answers = [
    () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: '<h1>Bad gateway</h1>' }),
    () => ({ status: 302, headers: { location: 'https://login.corp/?secret=1' }, body: '' }),
    () => ({ status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Welcome</h1>' }),
    () => ({ status: 200, headers: {}, body: '' }),
  ];
  const { url } = await serve(context, authority, (_request, response) => {
    const { status, headers, body } = answers.shift()?.() ?? { status: 500, headers: {}, body: '' };
    response.writeHead(status, headers).end(body);
  });
  const client = await clientOf(context, url);
  await transportError(client.request(get), 'UNEXPECTED_ANSWER', /answered 502 \(text\/html\)/);
  await transportError(client.request(get), 'UNEXPECTED_ANSWER', /redirect to https:\/\/login\.corp, which/);
  await transportError(client.request(get), 'UNEXPECTED_ANSWER', /answered 200 \(text\/html\)/);
  assert.equal(await client.request(get), null);
});

test('an answer is bounded in size and in time', async (context) => {
  const { url } = await serve(context, authority, (request, response) => {
    if (request.url === '/large') response.end(JSON.stringify('x'.repeat(5000)));
    else response.write('[1,');
  });
  const client = await clientOf(context, url, { maxResponseBytes: 1000, requestTimeoutMs: 1000 });
  await transportError(client.request({ method: 'GET', path: '/large' }), 'ANSWER_TOO_LARGE', /larger/);
  await transportError(client.request({ ...get, timeoutMs: 60 }), 'TIMEOUT', /in time/);
});

test("the caller's signal ends a request with the caller's reason", async (context) => {
  const { url } = await serve(context, authority, () => abort.abort(new Error('stopping')));
  const abort = new AbortController();
  const client = await clientOf(context, url);
  await assert.rejects(client.request({ ...get, signal: abort.signal }), /stopping/);
});

test('connections go through the proxy, with credentials, except to exempt hosts', async (context) => {
  const { url, port } = await serve(context, authority, (_request, response) => response.end('{}'));
  const { port: proxyPort, tunnels } = await proxy(context);
  const environment = {
    PROXY_HOST: '127.0.0.1',
    PROXY_PORT: String(proxyPort),
    PROXY_USER: 'ann',
    PROXY_PASSWORD: 'secret',
  };
  const through = await clientOf(context, url, { proxy: readProxySettings(environment).proxy });
  await through.request(get);
  assert.deepEqual(tunnels, [{ authority: `manager.localhost:${port}`, authorization: `Basic ${btoa('ann:secret')}` }]);
  const { proxy: exempting } = readProxySettings({ ...environment, NO_PROXY: 'localhost' });
  await (await clientOf(context, url, { proxy: exempting })).request(get);
  assert.equal(tunnels.length, 1);
});

test('a proxy that speaks TLS itself is verified, and never shown the client certificate', async (context) => {
  const { url, handshakes } = await serve(context, authority, (_request, response) => response.end('{}'));
  const { port, clients } = await proxy(context, { authority });
  const [certificatePath, keyPath] = authority.write('proxied', authority.client('edge-1'));
  const clientCertificate = await ClientCertificateSource.open({ certificatePath, keyPath });
  context.after(() => clientCertificate.close());
  const through = (host: string) => {
    const settings = readProxySettings({ PROXY_HOST: host, PROXY_PORT: String(port), PROXY_SCHEME: 'https' }).proxy;
    return clientOf(context, url, { proxy: settings, clientCertificate });
  };
  await (await through('proxy.localhost')).request(get);
  assert.deepEqual([clients, handshakes], [[''], ['edge-1']]);
  await transportError((await through('other.localhost')).request(get), 'PROXY_FAILED', /https:\/\/other\.localhost/);
});

test('a proxy that refuses, wants credentials, or is not there is told as the proxy', async (context) => {
  const through = async (refuseWith: number) => {
    const { port } = await proxy(context, { refuseWith });
    const settings = readProxySettings({ HTTPS_PROXY: `http://ann:hunter2@127.0.0.1:${port}` }).proxy;
    return (await clientOf(context, 'https://manager.example:8443', { proxy: settings })).request(get);
  };
  await transportError(through(403), 'PROXY_REFUSED', /refused a tunnel to manager\.example:8443 \(403\)/);
  await transportError(through(407), 'PROXY_CREDENTIALS', /wants a user and a password/);
  const gone = createTcpServer();
  const port = await listening(context, gone);
  gone.close();
  const settings = readProxySettings({ HTTPS_PROXY: `http://ann:hunter2@127.0.0.1:${port}` }).proxy;
  const client = await clientOf(context, 'https://manager.example', { proxy: settings });
  await assert.rejects(client.request(get), (error: unknown) => {
    assert.ok(error instanceof TransportError);
    assert.equal(error.failure, 'PROXY_FAILED');
    assert.ok(!`${error.message}${error.stack}`.includes('hunter2'));
    return true;
  });
});

test('only https addresses without credentials are taken', async () => {
  for (const baseUrl of ['http://m', 'm:8443', 'https://m?token=hunter2', 'https://ann:hunter2@m', '']) {
    await assert.rejects(ManagerClient.create({ baseUrl }), (error: Error) => {
      assert.ok(error instanceof TypeError && /must be https/.test(error.message));
      return !error.message.includes('hunter2');
    });
  }
});

test('a CA file that cannot be used is an error that names it', async () => {
  const create = (path: string) => ManagerClient.create({ baseUrl: 'https://m', extraCaFiles: [path] });
  await assert.rejects(create('/nowhere/ca.pem'), /The CA file \/nowhere\/ca\.pem cannot be read \(ENOENT\)/);
  await assert.rejects(create(import.meta.filename), /manager-client\.test\.ts holds no certificate|does not parse/);
});
