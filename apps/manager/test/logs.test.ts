import assert from 'node:assert/strict';
import { type DevManager, eventually } from '@sallyport/dev-env';
import { onBothManagers } from './both-managers.ts';
import { type LogClient, LogRig, line } from './log-rig.ts';

const onBoth = onBothManagers();
let accounts = 0;

async function rigOf(dev: DevManager, after: (done: () => void) => void) {
  const rig = new LogRig(dev);
  after(() => rig.close());
  accounts += 1;
  const account = await dev.account(`logs-${accounts}`);
  return { rig, account, writer: await rig.writer(account), reader: await rig.reader(account) };
}

const status = async (answer: Promise<{ status: number }>) => (await answer).status;
const outs = (ndjson: string) =>
  ndjson
    .split('\n')
    .slice(0, -1)
    .map((row) => (JSON.parse(row) as { out: string }).out);

onBoth('a log is opened, written, tailed, closed and read back', async (t, dev) => {
  const { writer, reader, rig, account } = await rigOf(dev, t.after.bind(t));
  const key = 'run:1/step:2';
  assert.equal(await status(writer.open(key)), 204);
  assert.equal(await status(writer.write(key, 'one\n', 'two\n')), 204);
  const tail = await (await rig.reader(account)).tail(key);
  assert.equal(tail.response.headers['content-type'], 'text/event-stream');
  await tail.until(({ outs }) => outs.length === 2);
  assert.equal(await status(writer.write(key, 'three\n')), 204);
  await tail.until(({ outs }) => outs.length === 3);
  assert.deepEqual(tail.lines, [
    [1, 'one\n'],
    [2, 'two\n'],
    [3, 'three\n'],
  ]);
  assert.equal(await status(reader.blob(key)), 404, 'nothing is stored while it is open');
  assert.equal(await status(writer.close(key, '&snapshot=true')), 204);
  assert.equal(await tail.ended, true);
  assert.ok(tail.text.startsWith(': ping\n'));
  assert.ok(tail.text.endsWith('event: error\ndata: eof\n\n'));
  const blob = await reader.blob(key);
  assert.equal(blob.status, 200);
  assert.deepEqual(
    blob.text
      .split('\n')
      .slice(0, 1)
      .map((row) => JSON.parse(row)),
    [line('one\n')],
  );
  assert.deepEqual(outs(blob.text), ['one\n', 'two\n', 'three\n']);
});

onBoth('every route answers as existing clients expect', async (t, dev) => {
  const { writer, reader } = await rigOf(dev, t.after.bind(t));
  const key = 'a:1/b:2';
  const missing = await writer.write('nobody:1', 'dropped\n');
  assert.deepEqual([missing.status, missing.text], [200, '']);
  const unopened = await writer.close('nobody:1');
  assert.deepEqual([unopened.status, unopened.text], [500, '{"error_msg":"stream: not found"}']);
  const unsnapped = await writer.close('nobody:1', '&snapshot=true');
  assert.deepEqual([unsnapped.status, unsnapped.text], [500, '{"error_msg":"stream: not found"}']);
  assert.equal(await status(writer.close('nobody:', '&prefix=true')), 204);
  assert.equal(await status(writer.open(key)), 204);
  for (const body of ['{', '{}', '[1]', '[{"out":1}]', '"text"']) {
    const answer = await writer.call('PUT', '/stream', key, '', body);
    assert.equal(answer.status, 400, body);
    assert.match(answer.text, /^\{"error_msg":"the body is not /);
  }
  assert.equal(await status(writer.call('PUT', '/stream', key, '', '[]')), 204);
  assert.equal(await status(writer.call('PUT', '/stream', key, '', 'null')), 204);
  const info = await reader.call('GET', '/stream/info', 'any');
  assert.equal(info.status, 200);
  assert.deepEqual(JSON.parse(info.text), { streams: { [key]: { size: 0, subscribers: 0, ttl: '5h0m0s' } } });

  assert.equal((await reader.call('GET', '/blob/exists', key)).text, 'false');
  assert.equal(await status(writer.call('DELETE', '/blob', key)), 404);
  assert.equal(await status(writer.call('POST', '/blob', key, '', 'raw text')), 204);
  assert.equal((await reader.call('GET', '/blob/exists', key)).text, 'true');
  assert.equal((await reader.blob(key)).text, 'raw text');
  assert.equal(await status(writer.call('POST', '/blob', key, '', '')), 204);
  assert.equal((await reader.blob(key)).text, 'raw text', 'an empty repetition replaces nothing');
  assert.equal(await status(writer.call('POST', '/blob', key, '', 'newer')), 204);
  assert.equal((await reader.blob(key)).text, 'newer');
  assert.equal(await status(writer.call('DELETE', '/blob', key)), 204);
  assert.equal(await status(reader.blob(key)), 404);
  for (const path of ['/healthz', '/ready/healthz']) {
    const health = await reader.raw('GET', path, '');
    assert.deepEqual([health.status, health.text], [200, 'OK']);
  }
});

onBoth('a key is sent without escapes, as existing writers do', async (t, dev) => {
  const { writer, account, reader } = await rigOf(dev, t.after.bind(t));
  const query = `accountID=${account.id}&key=run:1/level0:pipeline/step:build`;
  assert.equal(await status(writer.raw('POST', '/stream', query)), 204);
  assert.equal(await status(writer.raw('PUT', '/stream', query, JSON.stringify([line('hi\n')]))), 204);
  assert.equal(await status(writer.raw('DELETE', '/stream', `${query}&snapshot=true`)), 204);
  assert.deepEqual(outs((await reader.blob('run:1/level0:pipeline/step:build')).text), ['hi\n']);
});

onBoth(
  'a stream that is closed without a snapshot becomes a blob by itself, unless one was uploaded',
  async (t, dev) => {
    const { writer, reader } = await rigOf(dev, t.after.bind(t));
    await writer.open('a');
    await writer.write('a', 'kept\n');
    assert.equal(await status(writer.close('a')), 204);
    assert.deepEqual(outs((await reader.blob('a')).text), ['kept\n'], 'at once, stored or not yet');
    await writer.open('b');
    await writer.write('b', 'a part\n');
    await writer.call('POST', '/blob', 'b', '', '{"out":"all of it"}\n');
    assert.equal(await status(writer.close('b')), 204);
    const uploaded = async () => (await reader.blob('b')).text === '{"out":"all of it"}\n';
    await eventually('the upload stays', uploaded);
  },
);

onBoth('an open of the same key replaces the stream, and readers of the old one are told its end', async (t, dev) => {
  const { writer, rig, account } = await rigOf(dev, t.after.bind(t));
  await writer.open('k');
  await writer.write('k', 'old\n');
  const tail = await (await rig.reader(account)).tail('k');
  await tail.until(({ outs }) => outs.length === 1);
  await writer.open('k');
  await tail.ended;
  await writer.write('k', 'new\n');
  const again = await (await rig.reader(account)).tail('k');
  await again.until(({ outs }) => outs.length === 1);
  assert.deepEqual(again.lines, [[2, 'new\n']], 'sequence numbers count on');
});

onBoth('closing by prefix ends every stream below it and no other', async (t, dev) => {
  const { writer, reader } = await rigOf(dev, t.after.bind(t));
  for (const key of ['run:1/a', 'run:1/b', 'run:10/a', 'run:2/a']) {
    await writer.open(key);
    await writer.write(key, `${key}\n`);
  }
  assert.equal(await status(writer.close('run:1/', '&prefix=true&snapshot=true')), 204);
  for (const key of ['run:1/a', 'run:1/b']) assert.deepEqual(outs((await reader.blob(key)).text), [`${key}\n`]);
  const open = JSON.parse((await reader.call('GET', '/stream/info', 'x')).text) as { streams: object };
  assert.deepEqual(Object.keys(open.streams).sort(), ['run:10/a', 'run:2/a']);
});

onBoth('several writers of one stream: every line once, each writer in its order', async (t, dev) => {
  const { writer, rig, account, reader } = await rigOf(dev, t.after.bind(t));
  await writer.open('k');
  const clients: LogClient[] = [];
  const token = await rig.token(account);
  for (let index = 0; index < 8; index += 1) clients.push(await rig.writer(account, token));
  await Promise.all(
    clients.map(async (client, who) => {
      for (let count = 0; count < 40; count += 1) {
        assert.equal(await status(client.write('k', `${who} ${2 * count}\n`, `${who} ${2 * count + 1}\n`)), 204);
      }
    }),
  );
  await writer.close('k', '&snapshot=true');
  const written = outs((await reader.blob('k')).text).map((text) => text.trim().split(' ').map(Number));
  assert.equal(written.length, 640);
  for (const who of clients.keys()) {
    assert.deepEqual(
      written.filter(([from]) => from === who).map(([, count]) => count),
      Array.from({ length: 80 }, (_, index) => index),
    );
  }
});
