import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type DevAccount, DevManager } from '@sallyport/dev-env';
import { LOG_WRITER_HEADER } from '@sallyport/protocol';
import { type LogAnswer, LogClient, LogRig, line } from './log-rig.ts';

// Every route of the log service: what is sent, and the exact answer.

let dev: DevManager;
let rig: LogRig;
let acme: DevAccount;
let holder: LogClient;
let viewer: LogClient;
let nobody: LogClient;
let token: string;

before(async () => {
  dev = await DevManager.start();
  rig = new LogRig(dev);
  acme = await dev.account('acme');
  token = await rig.token(acme);
  holder = await rig.writer(acme, token);
  viewer = await rig.reader(acme);
  nobody = new LogClient(await rig.plain(), 'acme', {});
});
after(async () => {
  rig.close();
  await dev.stop();
});

const wrong = (text: string) => JSON.stringify({ error_msg: text });
const LINES = JSON.stringify([line('one\n', 0), line('two\n', 1)]);
const ROWS = `${JSON.stringify(line('one\n', 0))}\n${JSON.stringify(line('two\n', 1))}\n`;
const A = 'accountID=acme';
const NO_ACCOUNT = wrong('no account ID in query params');
const NO_TOKEN = wrong('no token in header');
const NO_TOKEN_OR_KEY = wrong('no token or x-api-key in header');
const NO_KEY = wrong('no key exists in the URL');
const NOT_FOUND = wrong('stream: not found');

interface Row {
  readonly by: 'holder' | 'viewer' | 'nobody';
  readonly ask: string;
  readonly body?: string;
  readonly status: number;
  readonly text: string | RegExp;
  readonly type?: string;
}

const row = (by: Row['by'], ask: string, status: number, text: string | RegExp, more: Partial<Row> = {}): Row => ({
  ...{ by, ask, status, text },
  ...more,
});

/** In order: each finds what the ones before it have left. */
const TABLE: readonly Row[] = [
  // Streams.
  row('holder', `PUT /stream?${A}&key=k:1/s:2`, 200, '', { body: LINES }),
  row('holder', `DELETE /stream?${A}&key=k:1/s:2`, 500, NOT_FOUND),
  row('holder', `DELETE /stream?${A}&key=k:1/s:2&snapshot=true`, 500, NOT_FOUND),
  row('holder', `DELETE /stream?${A}&key=k:1&prefix=true`, 204, ''),
  row('holder', `DELETE /stream?${A}&key=k:1&prefix=true&snapshot=true`, 204, ''),
  row('viewer', `GET /stream?${A}&key=k:1/s:2`, 200, ': ping\n\nevent: error\ndata: eof\n\n', {
    type: 'text/event-stream',
  }),
  row('holder', `POST /stream?${A}&key=k:1/s:2`, 204, ''),
  row('holder', `PUT /stream?${A}&key=k:1/s:2`, 204, '', { body: LINES }),
  row('holder', `PUT /stream?${A}&key=k:1/s:2`, 400, /^\{"error_msg":"the body is not JSON: /, { body: '[{' }),
  row('holder', `PUT /stream?${A}&key=k:1/s:2`, 400, /^\{"error_msg":"the body is not an array of log lines: /, {
    body: '{"out":"x"}',
  }),
  row(
    'viewer',
    `GET /stream/info?${A}&key=x`,
    200,
    '{"streams":{"k:1/s:2":{"size":2,"subscribers":0,"ttl":"5h0m0s"}}}',
  ),
  row('holder', `DELETE /stream?${A}&key=k:1/s:2&snapshot=true`, 204, ''),
  row('viewer', `GET /stream/info?${A}&key=x`, 200, '{"streams":{}}'),
  row('viewer', `GET /blob?${A}&key=k:1/s:2`, 200, ROWS),
  row(
    'viewer',
    `GET /stream?${A}&key=k:1/s:2&from=2`,
    200,
    /^: ping\n\nid: 2\ndata: \{.*\}\n\nevent: error\ndata: eof\n\n$/s,
  ),
  row('viewer', `GET /stream?${A}&key=k:1/s:2&from=x`, 400, wrong("from is 'x': send start, end or a sequence number")),
  // Blobs.
  row('viewer', `GET /blob?${A}&key=b`, 404, wrong("no blob with the key 'b'")),
  row('viewer', `GET /blob/exists?${A}&key=b`, 200, 'false', { type: 'text/plain' }),
  row('holder', `DELETE /blob?${A}&key=b`, 404, wrong("no blob with the key 'b'")),
  row('holder', `POST /blob?${A}&key=b`, 204, '', { body: 'raw' }),
  row('holder', `POST /blob?${A}&key=b`, 204, '', { body: '' }),
  row('viewer', `GET /blob?${A}&key=b`, 200, 'raw'),
  row('viewer', `GET /blob/exists?${A}&key=b`, 200, 'true'),
  row('holder', `DELETE /blob?${A}&key=b`, 204, ''),
  row('viewer', `GET /blob/exists?${A}&key=b`, 200, 'false'),
  row(
    'holder',
    `POST /blob/link/upload?${A}&key=b`,
    200,
    /^\{"link":"https:\/\/localhost[^"]+","expires":3600000000000\}$/,
    {
      type: 'application/json; charset=utf-8',
    },
  ),
  row(
    'viewer',
    `POST /blob/link/download?${A}&key=b`,
    200,
    /^\{"link":"https:\/\/localhost[^"]+","expires":3600000000000\}$/,
  ),
  // Archives.
  row('nobody', '/blob/download', 404, NO_ACCOUNT),
  row('nobody', 'POST /blob/download?prefix=runSequence:1', 404, NO_ACCOUNT),
  row('nobody', `GET /blob/download?${A}`, 404, wrong('no prefix in query params')),
  row('nobody', `GET /blob/download?${A}&prefix=runSequence:1`, 400, NO_TOKEN_OR_KEY),
  row('viewer', `GET /blob/download?${A}&prefix=run:1`, 400, /^\{"error_msg":"the prefix names no run: /),
  row('viewer', `GET /blob/download?${A}&prefix=runSequence:1`, 404, wrong("no blobs below 'runSequence:1'")),
  row('holder', `POST /blob?${A}&key=runSequence:1/a`, 204, '', { body: 'a' }),
  row(
    'viewer',
    `POST /blob/download?${A}&prefix=runSequence:1`,
    200,
    /^\{"link":"https:[^"]+","status":"success","expires":"\d{4}-[^"]+Z"\}$/,
  ),
  // Tokens, health, and what is not served.
  row('nobody', 'GET /token', 400, NO_ACCOUNT),
  row('nobody', `GET /token?${A}`, 400, NO_TOKEN_OR_KEY),
  row('holder', `GET /token?${A}`, 400, wrong('token in request not authorized for receiving tokens')),
  row('viewer', `GET /token?${A}`, 400, wrong('apikey in request not authorized for receiving tokens')),
  row('nobody', 'GET /healthz', 200, 'OK', { type: 'text/plain' }),
  row('nobody', 'GET /ready/healthz', 200, 'OK'),
  row('holder', `POST /rca?${A}&key=k`, 404, wrong('there is no POST /log-service/rca here')),
  row('nobody', 'PATCH /stream', 404, wrong('there is no PATCH /log-service/stream here')),
  // Who: account, then token, then key.
  ...['POST', 'PUT', 'DELETE'].flatMap((method) => [
    row('nobody', `${method} /stream`, 400, NO_ACCOUNT),
    row('nobody', `${method} /stream?${A}`, 400, NO_TOKEN),
    row('holder', `${method} /stream?${A}`, 400, NO_KEY),
    row('viewer', `${method} /stream?${A}&key=k`, 400, NO_TOKEN),
    row('holder', `${method} /stream?accountID=beta&key=k`, 400, wrong('operation not permitted for accountID: beta')),
  ]),
  ...['GET /stream', 'GET /stream/info', 'GET /blob', 'GET /blob/exists', 'POST /blob/link/download'].flatMap((ask) => [
    row('nobody', ask, 400, NO_ACCOUNT),
    row('nobody', `${ask}?${A}`, 400, NO_TOKEN_OR_KEY),
    row('holder', `${ask}?${A}`, 400, NO_KEY),
  ]),
  ...['POST /blob', 'DELETE /blob', 'POST /blob/link/upload'].flatMap((ask) => [
    row('nobody', ask, 400, NO_ACCOUNT),
    row('nobody', `${ask}?${A}`, 400, NO_TOKEN),
    row('holder', `${ask}?${A}`, 400, NO_KEY),
  ]),
  row('nobody', `DELETE /internal/blob?${A}&key=k`, 400, NO_TOKEN_OR_KEY),
  row('viewer', `DELETE /internal/blob?${A}&key=k`, 400, wrong('operation not permitted for accountID: acme')),
  // Keys that are no text.
  ...['k%', 'k%zz', '%ff', 'k%c3', '%ed%a0%80'].map((key) =>
    row(
      'holder',
      `POST /stream?${A}&key=${key}`,
      400,
      /is '.*', which is not percent-encoded UTF-8: write a % as %25"/,
    ),
  ),
  row('holder', `POST /stream?${A}&%6bey=50%`, 400, /not percent-encoded|percent-encoded UTF-8/),
  row('holder', `DELETE /stream?${A}&key=%zz&prefix=true`, 400, /not percent-encoded UTF-8/),
  row('viewer', `GET /blob/download?${A}&prefix=runSequence:1%zz`, 400, /the prefix in the URL is/),
  row('holder', `POST /stream?${A}&key=50%25`, 204, ''),
];

async function ask({ by, ask: asked, body }: Row): Promise<LogAnswer> {
  const [method = '', target = ''] = asked.startsWith('/') ? ['GET', asked] : asked.split(' ');
  const [path = '', query = ''] = target.split(/\?(.*)/s);
  const client = { holder, viewer, nobody }[by];
  if (method === 'GET' && path === '/stream' && query.includes('key=')) {
    const answer = await dev.request(`${dev.publicUrl}/log-service${target}`, {
      headers: { 'x-api-key': acme.viewerKey },
    });
    const { body: text } = answer as { body: unknown };
    return {
      status: answer.status,
      headers: answer.headers,
      text: typeof text === 'string' ? text : JSON.stringify(text),
    };
  }
  return client.raw(method, path, query, body);
}

test('every route answers with the status and the body that existing clients know', async () => {
  for (const each of TABLE) {
    const answer = await ask(each);
    const name = `${each.by} ${each.ask}`;
    assert.equal(answer.status, each.status, `${name}: ${answer.text}`);
    if (typeof each.text === 'string') assert.equal(answer.text, each.text, name);
    else assert.match(answer.text, each.text, name);
    if (each.type !== undefined) assert.equal(answer.headers['content-type'], each.type, name);
    if (each.status >= 400) assert.match(String(answer.headers['content-type']), /^application\/json/, name);
  }
});

test('the head of a tail is the one that proxies and browsers need', async () => {
  await holder.open('head');
  const { response } = await (await rig.reader(acme)).tail('head');
  assert.equal(response.statusCode, 200);
  const { headers } = response;
  assert.deepEqual(
    ['content-type', 'cache-control', 'connection', 'x-accel-buffering', 'access-control-allow-origin'].map(
      (name) => headers[name],
    ),
    ['text/event-stream', 'no-cache', 'keep-alive', 'no', '*'],
  );
  response.destroy();
});

test('the token may be in a form, of either kind, where it is nowhere else', async () => {
  const boundary = 'x0x';
  const multipart = `--${boundary}\r\nContent-Disposition: form-data; name="X-Harness-Token"\r\n\r\n${token}\r\n--${boundary}--\r\n`;
  const url = `${dev.publicUrl}/log-service/stream?${A}&key=by-form`;
  const post = async (type: string, body: string, headers = {}) => {
    const answer = await dev.request(url, { method: 'POST', headers: { ...headers, 'content-type': type }, body });
    return [answer.status, answer.status === 204 ? '' : JSON.stringify(answer.body)];
  };
  const form = 'application/x-www-form-urlencoded';
  assert.deepEqual(await post(form, `a=b&X-Harness-Token=${token}`), [204, '']);
  assert.deepEqual(await post(`multipart/form-data; boundary=${boundary}`, multipart), [204, '']);
  assert.deepEqual(await post('text/plain', `X-Harness-Token=${token}`), [400, NO_TOKEN]);
  assert.deepEqual(await post(form, `x-harness-token=${token}`), [400, NO_TOKEN], 'its name is exact');
  assert.deepEqual(await post('multipart/form-data', multipart), [400, NO_TOKEN], 'no boundary');
  assert.deepEqual(await post(form, `X-Harness-Token=${token}&x=${'y'.repeat(70_000)}`), [400, NO_TOKEN]);
  const refused = wrong('operation not permitted for accountID: acme');
  assert.deepEqual(await post(form, 'X-Harness-Token=nonsense'), [400, refused]);
  assert.deepEqual(await post(form, `X-Harness-Token=${token}`, { 'x-harness-token': 'nonsense' }), [400, refused]);
  // What a client uploads is not taken for a form because it calls it one.
  const blob = `${dev.publicUrl}/log-service/blob?${A}&key=by-form`;
  const upload = {
    method: 'POST',
    headers: { 'x-harness-token': token, 'content-type': form },
    body: 'X-Harness-Token=1',
  };
  assert.equal((await dev.request(blob, upload)).status, 204);
  assert.equal((await viewer.blob('by-form')).text, 'X-Harness-Token=1');
});

test('a link that was edited in any way is refused', async () => {
  const { text } = await holder.call('POST', '/blob/link/upload', 'edited');
  const { link } = JSON.parse(text) as { link: string };
  const { pathname, search } = new URL(link);
  const put = (query: string) => dev.request(`${dev.publicUrl}${pathname}${query}`, { method: 'PUT', body: 'evil' });
  const last = search.at(-1) ?? '';
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const twin = alphabet[alphabet.indexOf(last) ^ 1] ?? '';
  for (const query of [
    `${search.slice(0, -1)}${twin}`,
    `${search}=`,
    `${search}%3D`,
    `${search}!`,
    search.replace('accountID=acme', 'accountID=beta'),
    search.replace('accountID=acme&', ''),
    search.replace('grant=slg1', 'grant=SLG1'),
    `${search}&grant=x`,
  ]) {
    const { status, body } = await put(query);
    assert.equal(status, 400, query);
    assert.ok('error_msg' in (body as object), query);
  }
  assert.equal((await put(search)).status, 204);
  assert.equal((await viewer.blob('edited')).text, 'evil');
});

test('a writer that numbers its lines has none stored twice, and is told what is wrong with its name or numbers', async () => {
  await holder.open('numbered');
  const put = (writer: string, ...positions: number[]) =>
    dev.request(`${dev.publicUrl}/log-service/stream?${A}&key=numbered`, {
      method: 'PUT',
      headers: { 'x-harness-token': token, [LOG_WRITER_HEADER]: writer },
      body: JSON.stringify(positions.map((pos) => line(`${pos}\n`, pos))),
    });
  for (const positions of [[0, 1], [0, 1], [1, 2], [2], [3, 7]])
    assert.equal((await put('w', ...positions)).status, 204);
  const unsorted = await put('w', 9, 8);
  assert.deepEqual(
    [unsorted.status, (unsorted.body as unknown as { error_msg: string }).error_msg.slice(0, 40)],
    [400, 'line 1 of the body has no pos above 9 an'],
  );
  assert.equal((await put('w w', 9)).status, 400);
  assert.equal((await put('w'.repeat(65), 9)).status, 400);
  await holder.close('numbered', '&snapshot=true');
  const rows = (await viewer.blob('numbered')).text.split('\n').slice(0, -1);
  assert.deepEqual(
    rows.map((text) => (JSON.parse(text) as { pos: number }).pos),
    [0, 1, 2, 3, 7],
  );
});
