import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DevAgent, DevManager, eventually, KeptConnection } from '@sallyport/dev-env';

async function start(t: TestContext, environment: Record<string, string>): Promise<DevManager> {
  const dev = await DevManager.start({ environment });
  t.after(() => dev.stop());
  return dev;
}

async function agent(t: TestContext, dev: DevManager, accountId: string, token: string): Promise<DevAgent> {
  const { port } = dev.manager.publicAddress;
  const connection = await KeptConnection.open({ port, serverName: 'localhost' });
  t.after(() => connection.close());
  return new DevAgent(connection, { accountId, token });
}

/** One metric's value, with the labels as they are written. */
async function metric(dev: DevManager, line: string): Promise<number> {
  const text = String((await dev.api('GET', '/metrics')).body);
  return Number(
    text
      .split('\n')
      .find((each) => each.startsWith(`${line} `))
      ?.split(' ')[1] ?? 0,
  );
}

test('an account that asks too much is told 429 and slowed to an answer a second; another one keeps its pace', async (t) => {
  const dev = await start(t, { SALLYPORT_LIMIT_ACCOUNT_REQUESTS_PER_SECOND: '4' });
  const [loud, calm] = [await dev.account('loud'), await dev.account('calm')];
  const calmAgent = await agent(t, dev, 'calm', calm.token);
  assert.equal((await calmAgent.register()).status, 200);
  const loudAgents = await Promise.all(Array.from({ length: 10 }, () => agent(t, dev, 'loud', loud.token)));
  const [first] = loudAgents;
  assert.equal((await first?.register())?.status, 200);

  const flooders = loudAgents.map((each) => (first === undefined ? each : first.on(each.connection)));
  const statuses: number[] = [];
  let headers: Readonly<Record<string, unknown>> = {};
  let flooding = true;
  const flood = flooders.map(async (each) => {
    while (flooding) {
      const answer = await each.heartbeat();
      statuses.push(answer.status);
      if (answer.status === 429) headers = answer.headers;
    }
  });
  // The bucket is empty when the first is told so; its connection has waited a second by then.
  await eventually('one is told so', () => statuses.includes(429));
  const answered = statuses.length;
  const since = performance.now();
  const beside: number[] = [];
  while (beside.length < 30) beside.push((await calmAgent.heartbeat()).status);
  const seconds = (performance.now() - since) / 1_000;
  const during = statuses.length - answered;
  flooding = false;
  await Promise.all(flood);

  t.diagnostic(`beside 30 answers to the other account, ${during} to the flood of ten connections`);
  // By what is answered and not by the clock: a busy machine makes both accounts wait.
  assert.deepEqual(new Set(beside), new Set([200]), 'the other account is answered every time');
  assert.equal(headers['retry-after'], '2');
  assert.ok(statuses.filter((status) => status === 200).length <= 40 + 4 * 15, 'what the bucket holds, and its rate');
  // Answered at once they would be thousands a second.
  assert.ok(during <= (4 + 10) * (seconds + 2), `${during} answers to the flood in ${seconds} s`);
  const refused = statuses.filter((status) => status === 429).length;
  assert.ok(refused >= 10);
  assert.equal(await metric(dev, 'sallyport_limit_hits_total{limit="account_request_rate"}'), refused);
});

test('a heartbeat that is one too many for its address is counted as one', async (t) => {
  const dev = await start(t, { SALLYPORT_LIMIT_SOURCE_REQUESTS_PER_SECOND: '3' });
  const { token } = await dev.account('acme');
  const delegate = await agent(t, dev, 'acme', token);
  let { status } = await delegate.register();
  while (status === 200) ({ status } = await delegate.heartbeat());
  assert.equal(status, 429);
  assert.equal(await metric(dev, 'sallyport_limit_hits_total{limit="source_request_rate"}'), 1);
});

test('an address that asks too much is told 429, whatever path it asks for; requests sent ahead end its connection', async (t) => {
  const dev = await start(t, { SALLYPORT_LIMIT_SOURCE_REQUESTS_PER_SECOND: '1' });
  const ask = async () => (await dev.api('GET', '/nowhere', undefined, null)).status;
  // Each 429 comes a second late, so they are waited for together.
  const statuses = [await ask(), ...(await Promise.all(Array.from({ length: 11 }, ask)))];
  assert.equal(statuses[0], 404);
  assert.ok(statuses.includes(429), statuses.join());

  const connection = await KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
  t.after(() => connection.close());
  const request = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n';
  connection.socket.write(request.repeat(40));
  connection.socket.resume();
  await connection.gone;
});

test('a delegate of an account at its connections is told so, on a stream too; who has no token cannot bring it there', async (t) => {
  const dev = await start(t, {
    SALLYPORT_LIMIT_ACCOUNT_CONNECTIONS: '1',
    SALLYPORT_LIMIT_ACCOUNT_REQUESTS_PER_SECOND: '1',
  });
  const { token } = await dev.account('acme');
  const nobody = await agent(t, dev, 'acme', '0'.repeat(32));
  for (let tries = 0; tries < 15; tries += 1) assert.equal((await nobody.register()).status, 401);
  const first = await agent(t, dev, 'acme', token);
  assert.equal((await first.register()).status, 200);
  const second = first.on((await agent(t, dev, 'acme', token)).connection);
  const third = first.on((await agent(t, dev, 'acme', token)).connection);
  const [refused] = await Promise.all([second.heartbeat(), assert.rejects(third.stream(), /429/)]);
  assert.equal(refused.status, 429);
  assert.equal(refused.body['code'], 'TOO_MANY_REQUESTS');
  assert.equal((await first.heartbeat()).status, 200);
});

test('headers and bodies that are too large are answered so, and counted', async (t) => {
  const dev = await start(t, {});
  const large = await dev.request(`${dev.publicUrl}/healthz`, { headers: { 'x-large': 'x'.repeat(17_000) } });
  assert.equal(large.status, 431);
  const body = await dev.api('POST', '/ng/api/accounts', { identifier: 'x'.repeat(300_000) });
  assert.equal(body.status, 413);
  assert.equal(await metric(dev, 'sallyport_limit_hits_total{limit="header_size"}'), 1);
  assert.equal(await metric(dev, 'sallyport_limit_hits_total{limit="body_size"}'), 1);
});
