import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ProxySettings, readProxySettings } from '@sallyport/client';
import type { HttpResult } from '@sallyport/protocol';
import { pino } from 'pino';
import { plainOutput } from '../../test/task-output.ts';
import { httpTaskHandler } from './http-task.ts';
import { TaskInterruption, type TaskOutcome } from './task-handler.ts';

const OUTPUT = { secrets: {}, output: plainOutput() };

async function serve(context: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function handlerOf(context: TestContext, proxy: ProxySettings | null = null) {
  const handler = httpTaskHandler({ trustedRoots: async () => [], proxy, bodyLimitBytes: 1000 });
  context.after(() => handler.close());
  return (data: unknown, signal = new AbortController().signal): Promise<TaskOutcome> =>
    handler.run(data, { taskId: 't-1', signal, logger: pino({ level: 'silent' }), ...OUTPUT });
}

test('a request is sent as given and any status is a result', async (context) => {
  const port = await serve(context, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    response.writeHead(404, { 'x-seen': `${request.method} ${request.url} ${request.headers['x-ours']} ${body}` });
    response.end('nothing');
  });
  const { data, error } = await handlerOf(context)({
    url: `http://files.localhost:${port}/a?b=1`,
    method: 'POST',
    headers: { 'x-ours': 'yes' },
    body: 'text',
  });
  const { status, headers, body, truncated } = data as HttpResult;
  assert.equal(error, null);
  assert.deepEqual([status, headers['x-seen'], body, truncated], [404, 'POST /a?b=1 yes text', 'nothing', false]);
});

test('a redirect is a result, not followed', async (context) => {
  let requests = 0;
  const port = await serve(context, (_request, response) => {
    requests += 1;
    response.writeHead(302, { location: '/other' }).end();
  });
  const { data } = await handlerOf(context)({ url: `http://127.0.0.1:${port}/` });
  assert.equal((data as HttpResult).status, 302);
  assert.equal(requests, 1);
});

test('a body beyond the limit is cut, an endless one included', async (context) => {
  const port = await serve(context, (_request, response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(500)));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  });
  const { data } = await handlerOf(context)({ url: `http://127.0.0.1:${port}/` });
  const { body, truncated } = data as HttpResult;
  assert.deepEqual([body.length, truncated], [1000, true]);
});

test('a failure says what is wrong, an interruption why', async (context) => {
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  const run = handlerOf(context);
  await assert.rejects(run({ url: `http://127.0.0.1:${port}/` }), /Nothing accepts connections at 127\.0\.0\.1/);
  await assert.rejects(run({ url: 'ftp://x' }), /must be \{ "url"/);
  const interruption = new AbortController();
  const hanging = await serve(context, () => interruption.abort(new TaskInterruption('timeout', 'its time is over')));
  const outcome = await run({ url: `http://127.0.0.1:${hanging}/` }, interruption.signal);
  assert.deepEqual(outcome, { data: null, error: 'its time is over' });
});

test('requests of tasks go through the proxy, except to exempt hosts', async (context) => {
  const seen: string[] = [];
  const proxyPort = await serve(context, (request, response) => {
    seen.push(`${request.url} ${request.headers['proxy-authorization']}`);
    response.end('from the proxy');
  });
  const port = await serve(context, (_request, response) => response.end('direct'));
  const { proxy } = readProxySettings({ HTTPS_PROXY: `http://ann:pw@127.0.0.1:${proxyPort}`, NO_PROXY: '127.0.0.1' });
  const run = handlerOf(context, proxy);
  const proxied = await run({ url: 'http://internal.example/x' });
  assert.equal((proxied.data as HttpResult).body, 'from the proxy');
  assert.deepEqual(seen, [`http://internal.example/x Basic ${btoa('ann:pw')}`]);
  const direct = await run({ url: `http://127.0.0.1:${port}/` });
  assert.equal((direct.data as HttpResult).body, 'direct');
});
