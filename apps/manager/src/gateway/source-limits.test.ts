import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Tally } from '../metrics/tally.ts';
import { DEFAULT_LIMIT_SETTINGS, DEFAULT_LIMITS, limitsOf } from './limits.ts';
import { SourceLimits, sourceOf } from './source-limits.ts';

test('a source is an IPv4 address, however it is written, or the /64 of an IPv6 one', () => {
  for (const [address, source] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2:ffff::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ] as const) {
    assert.equal(sourceOf(address), source, address);
  }
});

test('5,000 delegates of one account behind one address fit into every default, with both their connections at once', () => {
  const both = 2 * 5_000;
  const limits = DEFAULT_LIMITS;
  assert.ok(limits.sourceConnections >= 2 * both, 'the old connections may still be counted');
  assert.ok(limits.accountConnections >= 2 * both);
  assert.ok(limits.sourceHandshakesInFlight >= both);
  assert.ok(limits.handshakesInFlight >= 2 * limits.sourceHandshakesInFlight, 'one address never fills it alone');
  assert.ok(limits.accountHandshakesInFlight > limits.sourceHandshakesInFlight);
  assert.ok(limits.sourceHandshakes.burst >= both);
  assert.ok(limits.sourceRefusals.burst >= 5_000, 'each makes the start-up precheck');
  assert.ok(limits.accountRefusals.burst >= 5_000);
  assert.ok(limits.accountRequests.burst >= 5 * 5_000);
  assert.ok(limits.sourceRequests.burst >= limits.accountRequests.burst);
});

test('0 takes a limit away, with what hangs on it', () => {
  const none = limitsOf({
    handshakesInFlight: 0,
    sourceConnections: 0,
    sourceHandshakesPerSecond: 0,
    sourceRequestsPerSecond: 0,
    accountConnections: 0,
    accountRequestsPerSecond: 0,
  });
  for (const limit of [
    none.handshakesInFlight,
    none.sourceConnections,
    none.sourceHandshakesInFlight,
    none.sourceHandshakes.perSecond,
    none.sourceRefusals.perSecond,
    none.sourceRequests.perSecond,
    none.accountConnections,
    none.accountHandshakesInFlight,
    none.accountRequests.perSecond,
  ]) {
    assert.equal(limit, Number.POSITIVE_INFINITY);
  }
  const larger = limitsOf({ ...DEFAULT_LIMIT_SETTINGS, accountConnections: 200_000, sourceConnections: 200_000 });
  assert.equal(larger.sourceHandshakesInFlight, 100_000);
  assert.equal(larger.accountHandshakesInFlight, 200_000);
});

// A listener on all addresses of a machine: a client that has two of them as its peers may use one port of its own for
// both. If one connection's end took the other one's for its own, each pair would fill the bound a bit more, for ever.
test('handshakes to two addresses of ours from one port of a client leave nothing behind', async (t) => {
  const limits = new SourceLimits(DEFAULT_LIMITS, new Tally());
  const here = await listening(t, '127.0.0.1', 0);
  const { port } = here.address() as AddressInfo;
  const there = await listening(t, '127.0.0.2', port);
  const first = await arrival(t, here, { host: '127.0.0.1', port });
  const leaveFirst = limits.arrive('mtls', first.arrived);
  const second = await arrival(t, there, { host: '127.0.0.2', port, localPort: first.client.localPort });
  const leaveSecond = limits.arrive('mtls', second.arrived);
  assert.equal(second.arrived.remotePort, first.arrived.remotePort, 'one port of the client');
  assert.equal(limits.handshaking, 2);

  leaveFirst?.();
  leaveSecond?.();
  assert.deepEqual([limits.handshaking, limits.size], [0, 0]);
});

async function listening(t: TestContext, host: string, port: number): Promise<Server> {
  const server = createServer().listen(port, host);
  t.after(() => server.close());
  await once(server, 'listening');
  return server;
}

async function arrival(
  t: TestContext,
  server: Server,
  to: { host: string; port: number; localPort?: number | undefined },
): Promise<{ client: Socket; arrived: Socket }> {
  const coming = once(server, 'connection');
  const client = connect({ ...to, localAddress: '127.0.0.1' });
  t.after(() => client.destroy());
  const [arrived] = (await coming) as [Socket];
  t.after(() => arrived.destroy());
  return { client, arrived };
}
