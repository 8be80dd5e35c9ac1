import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DevAccount, DevAgent, DevManager, eventually, KeptConnection, TestAuthority } from '@sallyport/dev-env';
import { LOG_SERVICE } from '@sallyport/protocol';
import { LogClient, LogRig } from './log-rig.ts';

// Who may not, and keys that are meant to lead somewhere else.

const clock = { ahead: 0, now: () => new Date(Date.now() + clock.ahead) };
let dev: DevManager;
let rig: LogRig;
let acme: DevAccount;
let beta: DevAccount;

before(async () => {
  dev = await DevManager.start({ clock });
  rig = new LogRig(dev);
  acme = await dev.account('acme');
  beta = await dev.account('beta');
});
after(async () => {
  rig.close();
  await dev.stop();
});

const refused = (answer: { status: number; text: string }, text: string) =>
  assert.deepEqual([answer.status, answer.text], [400, JSON.stringify({ error_msg: text })]);

async function client(headers: Readonly<Record<string, string>>, accountId = 'acme'): Promise<LogClient> {
  return new LogClient(await rig.plain(), accountId, headers);
}

test('refusals are 400 in the words that clients know, account before token before key', async () => {
  const token = await rig.token(acme);
  const nobody = await client({});
  for (const method of ['POST', 'PUT', 'DELETE', 'GET']) {
    refused(await nobody.raw(method, '/stream', 'key=k'), 'no account ID in query params');
  }
  refused(await nobody.raw('POST', '/stream', 'accountID=acme'), 'no token in header');
  refused(await nobody.raw('GET', '/stream', 'accountID=acme'), 'no token or x-api-key in header');
  refused(await nobody.raw('GET', '/blob', 'accountID=acme'), 'no token or x-api-key in header');
  const holder = await client({ 'x-harness-token': token });
  refused(await holder.raw('POST', '/stream', 'accountID=acme'), 'no key exists in the URL');
  refused(await holder.raw('GET', '/stream/info', 'accountID=acme'), 'no key exists in the URL');
  refused(await holder.raw('POST', '/stream', 'accountID=acme&key=a&key=b'), 'key: must be string');
  refused(await holder.raw('POST', '/stream', 'accountID=beta&key=k'), 'operation not permitted for accountID: beta');
  refused(
    await holder.raw('POST', '/stream', 'accountID=acme&accountID=beta&key=k'),
    'operation not permitted for accountID: acme,beta',
  );
  assert.equal((await holder.raw('GET', '/blob/download', 'accountID=acme')).status, 404);
  assert.equal((await holder.raw('GET', '/blob/download', 'accountID=acme&prefix=a')).status, 400);
  assert.equal((await holder.raw('GET', '/blob/download', 'accountID=acme&prefix=runSequence:1')).status, 404);
  assert.equal((await nobody.raw('POST', '/stream', `accountID=acme&key=q&X-Harness-Token=${token}`)).status, 204);
});

test('who may have a token for the account', async () => {
  const path = `${LOG_SERVICE}/token`;
  const ask = async (headers: Record<string, string>, query = 'accountID=acme') => {
    const answer = await dev.request(`${dev.publicUrl}${path}?${query}`, { headers });
    return [answer.status, JSON.stringify(answer.body)];
  };
  const no = (text: string) => [400, JSON.stringify({ error_msg: text })];
  assert.deepEqual(await ask({}, ''), no('no account ID in query params'));
  assert.deepEqual(await ask({}), no('no token or x-api-key in header'));
  const wrongToken = 'token in request not authorized for receiving tokens';
  assert.deepEqual(await ask({ 'x-harness-token': await rig.token(acme) }), no(wrongToken));
  const wrongKey = 'apikey in request not authorized for receiving tokens';
  for (const key of [acme.viewerKey, beta.adminKey, 'pat.acme.x.y', 'nonsense']) {
    assert.deepEqual(await ask({ 'x-api-key': key }), no(wrongKey));
  }
  assert.equal((await ask({ 'x-api-key': acme.adminKey }))[0], 200);
  assert.equal((await ask({ 'x-api-key': dev.operatorKey }))[0], 200);
  assert.deepEqual(await ask({ 'x-api-key': dev.operatorKey }, 'accountID=nobody'), no(wrongKey));
});

test('a token that was altered, made up, or is two days old opens nothing', async () => {
  const token = await rig.token(acme);
  const [version = '', payload = '', mac = ''] = token.split('.');
  const content = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
  const altered = Buffer.from(JSON.stringify({ ...content, accountId: 'beta' })).toString('base64url');
  const unsigned = createHash('sha256').update(`${version}.${payload}`).digest('base64url');
  for (const [accountId, wrong] of [
    ['beta', `${version}.${altered}.${mac}`],
    ['acme', `${version}.${payload}.${unsigned}`],
    ['acme', `${version}.${payload}.`],
    ['acme', `${version}.${payload}`],
    ['acme', `${token}.x`],
    ['acme', 'slg1..'],
    ['acme', 'x'],
  ] as const) {
    const answer = await (await client({ 'x-harness-token': wrong }, accountId)).open('k');
    refused(answer, `operation not permitted for accountID: ${accountId}`);
  }
  const holder = await client({ 'x-harness-token': token });
  assert.equal((await holder.open('k')).status, 204);
  clock.ahead = 48 * 3_600_000 + 1_000;
  try {
    refused(await holder.open('k'), 'operation not permitted for accountID: acme');
  } finally {
    clock.ahead = 0;
  }
});

test("a task's token is for its own key and what is below it", async () => {
  const { token, taskId } = await rig.logging(acme);
  const writer = await client({ 'x-harness-token': token });
  const key = `taskId:${taskId}`;
  assert.equal((await writer.open(key)).status, 204);
  assert.equal((await writer.open(`${key}/step:1`)).status, 204);
  const wrong = 'operation not permitted for accountID: acme';
  for (const other of [`${key}0`, `${key}\u0000`, `${key} `, 'taskId:', 'x', `x/../${key}`, `${key.toUpperCase()}`]) {
    for (const [method, path] of [
      ['POST', '/stream'],
      ['PUT', '/stream'],
      ['DELETE', '/stream'],
      ['GET', '/stream'],
      ['POST', '/blob'],
      ['GET', '/blob'],
      ['DELETE', '/blob'],
      ['GET', '/blob/exists'],
      ['POST', '/blob/link/upload'],
      ['POST', '/blob/link/download'],
    ] as const) {
      refused(await writer.call(method, path, other), wrong);
    }
  }
  const all = await client({ 'x-harness-token': await rig.token(acme) });
  await all.open('taskIdx');
  await all.open('other:1');
  assert.equal((await writer.close('t', '&prefix=true')).status, 204);
  const open = JSON.parse((await all.call('GET', '/stream/info', 'x')).text) as { streams: object };
  assert.ok('taskIdx' in open.streams && 'other:1' in open.streams, 'a prefix closes what the token covers only');
  assert.ok(!(key in open.streams));
});

test('a revoked delegate token takes its log tokens along, and their tails', async () => {
  const account = await dev.account('revoked');
  const { token, taskId } = await rig.logging(account);
  const key = `taskId:${taskId}`;
  const writer = await client({ 'x-harness-token': token }, account.id);
  await writer.open(key);
  await writer.write(key, 'one\n');
  const tail = await (await client({ 'x-harness-token': token }, account.id)).tail(key);
  await tail.until(({ outs }) => outs.length === 1);
  await dev.must('PUT', `/ng/api/delegate-token-ng?accountIdentifier=${account.id}&tokenName=default_token`);
  refused(await writer.write(key, 'two\n'), `operation not permitted for accountID: ${account.id}`);
  await tail.ended;
  assert.ok(!tail.text.includes('eof'));
});

test('who gets an identifier again has nothing of its former owner, and the former owner nothing of theirs', async () => {
  const former = await dev.account('again');
  const token = await rig.token(former);
  const old = await client({ 'x-harness-token': token }, 'again');
  await old.open('k');
  await old.write('k', 'secret\n');
  await old.close('k', '&snapshot=true');
  const tail = await (async () => {
    await old.open('live');
    return (await client({ 'x-api-key': former.viewerKey }, 'again')).tail('live');
  })();
  await dev.must('DELETE', '/ng/api/accounts/again');
  await tail.ended;
  const next = await dev.account('again');
  const reader = await rig.reader(next);
  assert.equal((await reader.blob('k')).status, 404);
  assert.equal((await reader.call('GET', '/stream/info', 'x')).text, '{"streams":{}}');
  refused(await old.open('k'), 'operation not permitted for accountID: again');
});

const KEYS = [
  '../../../../etc/passwd',
  '..',
  '.',
  '/',
  '//',
  '/etc/passwd',
  'a//b',
  'a/b',
  'a/./b',
  '..\\..\\windows',
  '%2e%2e%2f%2e%2e%2fsallyport.db',
  '..%2f..%2fsallyport.db',
  'a\u0000b',
  'a',
  'A',
  'a ',
  ' a',
  'a.',
  'caf\u00e9',
  'cafe\u0301',
  '\uFEFFa',
  'a\r\nset-cookie: x=1',
  'con',
  '{"$gt":""}',
  "' or 1=1 --",
  'beta/k',
  '../beta/k',
  '*',
  '\u{1F600}',
  '\u2028',
  'x'.repeat(2_048),
];

test('every key is a log of its own, and none leaves the storage folder', async () => {
  const writer = await rig.writer(acme);
  const reader = await rig.reader(acme);
  const stranger = await rig.reader(beta);
  await (await rig.writer(beta)).call('POST', '/blob', 'k', '', 'of beta');
  for (const [index, key] of KEYS.entries()) {
    assert.equal((await writer.open(key)).status, 204, key);
    assert.equal((await writer.write(key, `line ${index}\n`)).status, 204, key);
    assert.equal((await writer.close(key, '&snapshot=true')).status, 204, key);
  }
  for (const [index, key] of KEYS.entries()) {
    const { status, text } = await reader.blob(key);
    assert.equal(status, 200, key);
    assert.equal((JSON.parse(text) as { out: string }).out, `line ${index}\n`, key);
    assert.equal((await stranger.blob(key)).status, 404, key);
  }
  assert.equal((await stranger.blob('k')).text, 'of beta');
  const tooLong = await writer.open('y'.repeat(2_049));
  refused(tooLong, 'the key has 2049 bytes, and a key has at most 2048');
  const files = readdirSync(dev.dataDirectory, { recursive: true, encoding: 'utf8' });
  const blobs = files.filter(
    (file) => statSync(join(dev.dataDirectory, file)).isFile() && !/^sallyport|^dev|^master/.test(file),
  );
  for (const file of blobs)
    assert.match(file, /^log-blobs\/logs\/[0-9a-f]{32}\/[0-9a-f]{64}-[0-9a-f-]{36}\.ndjson\.gz$/);
});

test('an archive unpacks inside its folder, whatever its keys say', async () => {
  const account = await dev.account('zipped');
  const writer = await rig.writer(account);
  const prefix = 'runSequence:1/';
  for (const name of ['../../../evil', './x', 'a:b/c', 'd\\e', '', '..']) {
    await writer.call('POST', '/blob', `${prefix}${name}`, '', `content of ${name}`);
  }
  const answer = await writer.raw('POST', '/blob/download', `accountID=zipped&prefix=${prefix}`);
  const { link, status, expires } = JSON.parse(answer.text) as Record<string, string>;
  assert.equal(status, 'success');
  assert.ok(Date.parse(String(expires)) > Date.now() + 3_500_000);
  const url = new URL(String(link));
  const zip = await dev.request(`${dev.publicUrl}${url.pathname}${url.search}`);
  assert.equal(zip.headers['content-type'], 'application/zip');
  const names = [...String(zip.body).matchAll(/runSequence%3A1\/[\w%./~-]*?\.ndjson/g)].map(([name]) => name);
  assert.equal(new Set(names).size, 6);
  for (const name of names) {
    assert.ok(
      name.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
      name,
    );
    assert.ok(!/[\\:]/.test(name), name);
  }
});

test('a link is for one key, one method, one purpose and one hour', async () => {
  const writer = await rig.writer(acme);
  const link = async (path: string, key: string) => {
    const { text } = await writer.call('POST', path, key);
    const { link: url, expires } = JSON.parse(text) as { link: string; expires: number };
    assert.equal(expires, 3_600_000_000_000);
    const { pathname, search } = new URL(url);
    return `${pathname}${search}`;
  };
  const use = (method: string, path: string, body?: string) =>
    dev.request(`${dev.publicUrl}${path}`, { method, ...(body !== undefined && { body }) });
  const upload = await link('/blob/link/upload', 'linked');
  const download = await link('/blob/link/download', 'linked');
  assert.equal((await use('PUT', upload, 'by link')).status, 204);
  assert.equal((await use('PUT', upload, '')).status, 204, 'a repetition without its body');
  assert.equal(String((await use('GET', download)).body), 'by link');
  for (const [method, path] of [
    ['GET', upload],
    ['PUT', download],
    ['GET', download.replace('/content', '/archive')],
    ['GET', `${download}x`],
    ['GET', download.replace(/grant=.*/, `grant=${await rig.token(acme)}`)],
  ] as const) {
    assert.equal((await use(method, path, method === 'PUT' ? 'evil' : undefined)).status, 400, `${method} ${path}`);
  }
  const grant = new URLSearchParams(download.split('?')[1]).get('grant') ?? '';
  refused(await (await client({ 'x-harness-token': grant })).open('k'), 'operation not permitted for accountID: acme');
  clock.ahead = 3_601_000;
  try {
    assert.equal((await use('GET', download)).status, 400);
  } finally {
    clock.ahead = 0;
  }
});

test('a STRICT account refuses plain writers, readers with a token and their links; its flip cuts those that are there', async () => {
  const ca = await TestAuthority.create('logs');
  const account = await dev.account('strict', { caCertificates: ca.certificatePem, mode: 'LOOSE' });
  const token = await rig.token(account);
  const plain = await rig.writer(account, token);
  const headers = { 'x-harness-token': token };
  await plain.open('k');
  await plain.write('k', 'one\n');
  await plain.call('POST', '/blob', 'b', '', 'blob');
  const { link } = JSON.parse((await plain.call('POST', '/blob/link/download', 'b')).text) as { link: string };
  const tail = await (await client(headers, account.id)).tail('k');
  await tail.until(({ outs }) => outs.length === 1);
  const byKey = await (await rig.reader(account)).tail('k');
  await byKey.until(({ outs }) => outs.length === 1);

  await dev.setMode(account.id, 'STRICT');
  await tail.ended;
  await plain.connection.gone;
  const again = await client(headers, account.id);
  for (const [method, path] of [
    ['PUT', '/stream'],
    ['POST', '/stream'],
    ['GET', '/stream'],
    ['POST', '/blob'],
    ['GET', '/blob'],
  ] as const) {
    const answer = await again.call(method, path, 'k', '', method === 'PUT' ? '[]' : undefined);
    assert.equal(answer.status, 401);
    assert.equal(answer.headers['x-harness-error'], 'INVALID_AGENT_MTLS_AUTHORITY');
    const body = JSON.parse(answer.text) as { error_msg: string; code: string; message: string };
    assert.equal(body.code, 'INVALID_AGENT_MTLS_AUTHORITY');
    assert.equal(body.error_msg, body.message);
    assert.match(body.error_msg, /STRICT/);
  }
  const stolen = new URL(link);
  assert.equal((await dev.request(`${dev.publicUrl}${stolen.pathname}${stolen.search}`)).status, 401);
  const refusals = await dev.must('GET', `/ng/api/agent/mtls/refusals?accountIdentifier=${account.id}`);
  assert.ok(JSON.stringify(refusals).includes('MTLS_REQUIRED'));

  const mtls = rig.keep(
    await KeptConnection.open({
      port: dev.manager.mtlsAddress.port,
      serverName: 'strict.agent.localhost',
      certificate: await ca.client('delegate'),
    }),
  );
  const writer = new LogClient(mtls, account.id, headers);
  assert.equal((await writer.write('k', 'two\n')).status, 204);
  const answer = JSON.parse((await writer.call('POST', '/blob/link/upload', 'c')).text) as { link: string };
  assert.ok(answer.link.startsWith('https://strict.agent.localhost'), 'links lead where the writer is');
  await byKey.until(({ outs }) => outs.length === 2);
  const others = new LogClient(mtls, 'acme', { 'x-harness-token': await rig.token(acme) });
  assert.equal((await others.open('k')).status, 401, "another account's endpoint is not its own");
});

test("a pinned delegate's log token is taken over its certificate only", async () => {
  const ca = await TestAuthority.create('pins');
  const account = await dev.account('pins', { caCertificates: ca.certificatePem, mode: 'LOOSE' });
  const certificate = await ca.client('pinned');
  const { port } = dev.manager.mtlsAddress;
  const mtls = rig.keep(await KeptConnection.open({ port, serverName: 'pins.agent.localhost', certificate }));
  const agent = new DevAgent(mtls, { accountId: 'pins', token: account.token, name: 'pinned' });
  assert.equal((await agent.register()).status, 200);
  const task = await dev.must('POST', '/ng/api/tasks?accountIdentifier=pins', { type: 'ECHO', data: {} });
  const taskId = String(task['id']);
  const token = String((await agent.acquire(taskId)).body['logging']?.['token']);
  const headers = { 'x-harness-token': token };
  const plain = await client(headers, 'pins');
  assert.equal((await plain.open(`taskId:${taskId}`)).status, 204);
  await dev.must('PUT', '/ng/api/agent/mtls/delegates/pinned/pinned-certificate?accountIdentifier=pins', {});
  await plain.connection.gone;
  const again = await (await client(headers, 'pins')).write(`taskId:${taskId}`, 'stolen\n');
  assert.deepEqual([again.status, again.headers['x-harness-error']], [401, 'IDENTITY_NOT_ALLOWED']);
  const pinned = new LogClient(mtls, 'pins', headers);
  assert.equal((await pinned.write(`taskId:${taskId}`, 'its own\n')).status, 204);
});

test('no log token, key or line is in the log of the manager', async () => {
  const token = await rig.token(acme);
  const writer = await rig.writer(acme, token);
  await writer.open('a-secret-key');
  await writer.write('a-secret-key', 'a secret line\n');
  await writer.raw('POST', '/stream', `accountID=acme&key=q&X-Harness-Token=${token}`);
  await eventually('it was logged', () => dev.log().includes('/log-service/stream'));
  for (const secret of [token, 'a-secret-key', 'a secret line']) assert.ok(!dev.log().includes(secret), secret);
});
