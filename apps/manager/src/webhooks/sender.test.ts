import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { TestAuthority } from '@sallyport/dev-env';
import { issueServerCertificate } from '@sallyport/trust';
import { WebhookReceiver } from '../../test/webhook-receiver.ts';
import { Sender, type SenderOptions, type SendResult } from './sender.ts';

const HTTP = { privateAddresses: false, loopbackHttp: true };
const PRIVATE = { privateAddresses: true, loopbackHttp: false };
const STRICT = { privateAddresses: false, loopbackHttp: false };
const BODY = '{"type":"webhook.test"}';

function send(url: string, options: Partial<SenderOptions> & { attempt?: number } = {}): Promise<SendResult> {
  const { attempt = 1, rules = HTTP, extraCa = null, ...more } = options;
  const headers = { 'webhook-id': 'msg_1' };
  return new Sender({ rules, extraCa, ...more }).send(
    { url, attempt, headers, body: BODY },
    new AbortController().signal,
  );
}

async function secureReceiver(t: TestContext, dnsNames: string[], ipAddresses: string[] = []) {
  const { pair: authority } = await TestAuthority.create('Receivers CA');
  const pair = await issueServerCertificate({ authority, dnsNames, ipAddresses, days: 2, now: new Date() });
  return { receiver: await WebhookReceiver.start(t, pair), extraCa: authority.certificatePem };
}

test('the body goes out as it was signed, with its headers, to the path and query of the URL', async (t) => {
  const receiver = await WebhookReceiver.start(t);
  const { status, error } = await send(receiver.url('localhost', '/a%20b?c=d'));
  assert.deepEqual([status, error], [200, null]);
  const [received] = receiver.received;
  assert.equal(received?.body, BODY);
  assert.equal(received?.path, '/a%20b?c=d');
  assert.equal(received?.headers['webhook-id'], 'msg_1');
  assert.equal(received?.headers['content-type'], 'application/json');
  assert.equal(received?.headers.host, `localhost:${receiver.port}`);
  assert.equal(received?.headers.connection, 'close');
});

test('by https the receiver is who the URL names, of a public CA or of one that the operator added', async (t) => {
  const { receiver, extraCa } = await secureReceiver(t, ['hooks.example.com'], ['127.0.0.1']);
  const resolve = async () => ['127.0.0.1'];
  const named = receiver.url('hooks.example.com');
  assert.equal((await send(named, { rules: PRIVATE, extraCa, resolve })).error, null);
  assert.equal((await send(receiver.url('127.0.0.1'), { rules: PRIVATE, extraCa })).error, null);
  assert.match((await send(named, { rules: PRIVATE, resolve })).error ?? '', /CA is not trusted/);
  const other = await send(receiver.url('other.example.com'), { rules: PRIVATE, extraCa, resolve });
  assert.equal(other.error, 'its certificate is for another name');
  assert.equal(receiver.received.length, 2);
});

test('a name that leads inside is not connected to, and the reason does not say where it leads', async (t) => {
  const { receiver, extraCa } = await secureReceiver(t, ['hooks.example.com']);
  const url = receiver.url('hooks.example.com');
  for (const addresses of [['127.0.0.1'], ['10.1.2.3'], ['169.254.169.254', '::ffff:127.0.0.1'], []]) {
    const { status, error } = await send(url, { rules: STRICT, extraCa, resolve: async () => addresses });
    assert.deepEqual([status, error], [null, 'hooks.example.com has no address that webhooks may connect to']);
  }
  assert.equal((await send(receiver.url('127.0.0.1'), { rules: STRICT, extraCa })).status, null);
  assert.equal((await send(receiver.url('localhost'), { rules: STRICT, extraCa })).status, null);
  assert.equal(receiver.received.length, 0);
});

test('a name is resolved once for each attempt: what it says later (DNS rebinding) is not asked', async (t) => {
  const receiver = await WebhookReceiver.start(t);
  const asked: string[] = [];
  const resolve = async (name: string) => {
    asked.push(name);
    return asked.length === 1 ? ['127.0.0.1'] : ['10.0.0.1'];
  };
  const sender = new Sender({ rules: HTTP, extraCa: null, resolve });
  const message = { url: receiver.url('rebound.example.com'), attempt: 1, headers: {}, body: BODY };
  const { signal } = new AbortController();
  assert.equal((await sender.send(message, signal)).status, 200);
  assert.deepEqual(asked, ['rebound.example.com']);
  assert.match((await sender.send(message, signal)).error ?? '', /no address/);
  assert.equal(receiver.received.length, 1);
});

test('of several addresses each attempt takes the next that is allowed', async (t) => {
  const receiver = await WebhookReceiver.start(t);
  const url = receiver.url('many.example.com');
  // Nobody listens on 127.0.0.2; the first address is not allowed by http.
  const resolve = async () => ['10.0.0.1', '127.0.0.1', '127.0.0.2'];
  assert.equal((await send(url, { resolve, attempt: 1 })).status, 200);
  assert.equal((await send(url, { resolve, attempt: 2 })).error, 'the connection was refused');
  assert.equal((await send(url, { resolve, attempt: 3 })).status, 200);
});

test('redirects are not followed, and whatever is not a success is a failure', async (t) => {
  const receiver = await WebhookReceiver.start(t);
  const answers = [301, 307, 400, 404, 410, 500];
  receiver.answer = (response) =>
    void response
      .writeHead(answers[receiver.received.length - 1] ?? 0, { location: receiver.url('127.0.0.1', '/next') })
      .end();
  for (const status of answers) {
    const result = await send(receiver.url());
    assert.equal(result.status, status);
    assert.match(result.error ?? '', new RegExp(`^it answered ${status}`));
  }
  assert.equal(receiver.received.length, answers.length);
});

test('an answer without end is read up to a bound, and its status counts', async (t) => {
  const receiver = await WebhookReceiver.start(t);
  let sent = 0;
  receiver.answer = (response) => {
    response.writeHead(200);
    const write = () => {
      sent += 64 * 1024;
      if (!response.destroyed) response.write(Buffer.alloc(64 * 1024), write);
    };
    write();
  };
  const { status, durationMs } = await send(receiver.url());
  assert.equal(status, 200);
  assert.ok(durationMs < 5_000, `${durationMs} ms`);
  assert.ok(sent < 16 * 1024 * 1024, `${sent} bytes`);
});

test('whoever does not answer in time has failed: silent, dripping, or no HTTP at all', async (t) => {
  const receiver = await WebhookReceiver.start(t);
  receiver.answer = () => undefined;
  const silent = await send(receiver.url(), { timeLimitMs: 200 });
  assert.equal(silent.error, 'no answer within 0.2 seconds');
  receiver.answer = (response) => void response.writeHead(200).write('and so on');
  const endless = await send(receiver.url(), { timeLimitMs: 200 });
  assert.equal(endless.status, 200);

  const never = () => new Promise<string[]>(() => undefined);
  const unresolved = await send(receiver.url('slow.example.com'), { timeLimitMs: 200, resolve: never });
  assert.equal(unresolved.error, 'no answer within 0.2 seconds');

  for (const answer of [
    'SSH-2.0-secret-banner\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: secret\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
  ]) {
    const babble = createServer((socket) => socket.once('data', () => socket.end(answer)));
    await new Promise<void>((resolve) => babble.listen(0, '127.0.0.1', resolve));
    t.after(() => babble.close());
    const address = babble.address();
    assert.ok(address !== null && typeof address === 'object');
    const { status, error } = await send(`http://127.0.0.1:${address.port}/`);
    assert.equal(status, null);
    assert.match(error ?? '', /^(the request failed \(|the connection was closed)/);
    assert.doesNotMatch(error ?? '', /SSH|secret/);
  }
});

test('stopping ends an attempt at once, and that is no failure of the receiver', async (t) => {
  const receiver = await WebhookReceiver.start(t);
  receiver.answer = () => undefined;
  const stopping = new AbortController();
  const sender = new Sender({ rules: HTTP, extraCa: null });
  const sending = sender.send({ url: receiver.url(), attempt: 1, headers: {}, body: BODY }, stopping.signal);
  await receiver.next('webhook.test');
  stopping.abort(new Error('stopping'));
  await assert.rejects(sending, /^Error: stopping/);
});
