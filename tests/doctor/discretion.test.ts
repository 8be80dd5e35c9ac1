import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { after, before, test } from 'node:test';
import { diagnose } from '@sallyport/doctor';
import { encodeDelegateToken } from '@sallyport/protocol';
import { httpProxy, inspecting, type OnConnect, REFUSES } from './proxies.ts';
import { Rig } from './rig.ts';
import { tlsServer } from './servers.ts';

let rig: Rig;

before(async () => {
  rig = await Rig.start();
});
after(() => rig.close());

/** A server that remembers what it was sent, and answers in the manager's form with all of it. */
async function echo(pair: Rig['server']) {
  const requests: { readonly url: string; readonly headers: IncomingHttpHeaders }[] = [];
  const port = await tlsServer(rig.closing, pair, (request, response) => {
    requests.push({ url: request.url ?? '', headers: request.headers });
    const message = `You sent ${request.headers.authorization}, ${rig.acme.token} and ${encodeDelegateToken(rig.acme.token)}.`;
    response
      .setHeader('content-type', 'application/json')
      .writeHead(500)
      .end(JSON.stringify({ code: 'STRANGE', message }));
  });
  return { port, requests };
}

test('nothing that is made of the token goes to a server whose certificate is not trusted', async () => {
  const { port, requests } = await echo(await rig.serverPair(['localhost'], { authority: rig.stranger }));
  const { cause } = await diagnose({ environment: rig.elsewhere(port) });
  assert.equal(cause?.id, 'server-certificate');
  assert.equal(requests.length, 1, 'it was asked for the time');
  for (const { headers } of requests) assert.equal(headers.authorization, undefined);
});

test('nor to one that has the wrong name, nor to a log service that is not trusted', async () => {
  const wrongName = await echo(await rig.serverPair(['www.example.com']));
  await diagnose({ environment: rig.elsewhere(wrongName.port) });
  for (const { headers } of wrongName.requests) assert.equal(headers.authorization, undefined);
  const log = await echo(await rig.serverPair(['localhost'], { authority: rig.stranger }));
  const { cause } = await diagnose({
    environment: rig.plain({ LOG_STREAMING_SERVICE_URL: `https://localhost:${log.port}/` }),
  });
  assert.equal(cause?.id, 'log-service');
  assert.deepEqual(log.requests, []);
});

test('a server that sends back what it was sent brings no token into the diagnosis', async () => {
  const { port, requests } = await echo(rig.server);
  const diagnosis = await diagnose({ environment: rig.elsewhere(port) });
  assert.equal(diagnosis.cause?.id, 'manager');
  const jwe = requests[0]?.headers.authorization?.replace('Delegate ', '') ?? '';
  assert.match(jwe, /^eyJ/);
  const text = JSON.stringify(diagnosis);
  for (const secret of [jwe, rig.acme.token, encodeDelegateToken(rig.acme.token)]) assert.ok(!text.includes(secret));
  assert.match(text, /You sent Delegate \[secret\], \[secret\] and \[secret\]\./);
});

test("a proxy's password goes to the proxy, and not into the diagnosis", async () => {
  let seen: string | undefined;
  const onConnect: OnConnect = (request, socket) => {
    seen = request.headers['proxy-authorization'];
    REFUSES(request, socket);
  };
  const port = await httpProxy(rig.closing, onConnect);
  const environment = rig.mtls({ HTTPS_PROXY: `http://ann:correct%20horse@localhost:${port}` });
  const text = JSON.stringify(await diagnose({ environment }));
  assert.equal(seen, `Basic ${btoa('ann:correct horse')}`);
  for (const secret of ['correct horse', 'correct%20horse', btoa('ann:correct horse')])
    assert.ok(!text.includes(secret));
});

test('the request for an exemption from TLS inspection is ready to send: host, port, issuer, fingerprint, and no secret', async () => {
  const port = await inspecting(rig.closing, { authority: rig.stranger.pair, names: 'of-the-client' });
  const { cause } = await diagnose({ environment: rig.mtls({ PROXY_HOST: 'localhost', PROXY_PORT: String(port) }) });
  const request = cause?.readyToSend ?? '';
  assert.match(request, /^Subject: Please exempt acme\.agent\.localhost from TLS inspection\n/);
  assert.match(
    request,
    new RegExp(`host {2}acme\\.agent\\.localhost\\n {2}port {2}${rig.manager.manager.mtlsAddress.port}\\n`),
  );
  assert.match(request, /issuer {7}"CN=Somebody else"/);
  assert.match(request, /SHA-256 {6}[0-9a-f]{64}/);
  assert.ok(!request.includes(rig.acme.token));
});
