import assert from 'node:assert/strict';
import { get } from 'node:http';
import { test } from 'node:test';
import { DevAgent, DevManager, eventually, KeptConnection, TestAuthority } from '@sallyport/dev-env';
import { readConfig } from '../src/config/config.ts';

const OURS: Readonly<Record<string, readonly string[]>> = {
  sallyport_handshakes_total: ['listener', 'outcome'],
  sallyport_limit_hits_total: ['limit'],
  sallyport_refusals_total: ['reason'],
  sallyport_connections_cut_total: ['code'],
  sallyport_tasks_total: ['status'],
  sallyport_upgrades_total: ['outcome'],
  sallyport_webhook_deliveries_total: ['outcome'],
  sallyport_client_certificates: ['left'],
  sallyport_endpoint_client_certificates: ['endpoint', 'left'],
  sallyport_endpoint_soonest_expiry_seconds: ['endpoint'],
  sallyport_live_connections: ['listener'],
  sallyport_sources: [],
  sallyport_push_streams: [],
  sallyport_delegates_present: [],
  sallyport_bus_in_step: [],
  sallyport_handshakes_in_flight: [],
  sallyport_log_lines_total: [],
  sallyport_log_bytes_total: [],
  sallyport_log_tails: [],
  sallyport_http_requests_total: ['method', 'route', 'status'],
  sallyport_http_request_duration_seconds: ['route'],
};

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

function samplesOf(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text]);
      return { name, labels: Object.fromEntries(pairs), value: Number(value) };
    });
}

test('metrics say what happened, and no label names what a client chose', async (t) => {
  const dev = await DevManager.start({ environment: { SALLYPORT_METRICS_LISTEN: '127.0.0.1:0' } });
  t.after(() => dev.stop());
  const ca = await TestAuthority.create('CA');
  const acme = await dev.account('acme', { caCertificates: ca.certificatePem, mode: 'LOOSE' });
  const port = dev.manager.mtlsAddress.port;
  const serverName = 'acme.agent.localhost';
  const connection = await KeptConnection.open({ port, serverName, certificate: await ca.client('delegate-1') });
  t.after(() => connection.close());
  const agent = new DevAgent(connection, { accountId: 'acme', token: acme.token, name: 'named-by-its-owner' });
  await agent.register();
  const stream = await agent.stream();
  const stranger = await (await TestAuthority.create('Other')).client('stranger');
  await dev.request(`${dev.mtlsUrl('acme')}/`, { certificate: stranger });
  await dev.request(`${dev.mtlsUrl('invented-name')}/`, { certificate: stranger });
  await dev
    .must('POST', '/ng/api/tasks?accountIdentifier=acme', { type: 'SHELL', data: { script: 'true' } })
    .catch(() => undefined);
  for (let path = 0; path < 50; path += 1) await dev.request(`${dev.publicUrl}/invented/${path}`, { method: 'GET' });
  await dev.request(`${dev.publicUrl}/invented`, { method: 'PROPFIND' });

  const address = dev.manager.metricsAddress;
  assert.ok(address !== null);
  const scraped = () => scrape(address.port);
  const samples = samplesOf((await scraped()).text);
  const reading = (name: string, labels: Record<string, string> = {}) =>
    samples.find(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
    )?.value;
  assert.equal(reading('sallyport_handshakes_total', { listener: 'mtls', outcome: 'admitted' }), 1);
  assert.equal(reading('sallyport_handshakes_total', { listener: 'mtls', outcome: 'refused' }), 2);
  assert.equal(reading('sallyport_refusals_total', { reason: 'UNKNOWN_ISSUER' }), 1);
  assert.equal(reading('sallyport_refusals_total', { reason: 'UNKNOWN_ENDPOINT' }), 1);
  assert.equal(reading('sallyport_live_connections', { listener: 'mtls' }), 1);
  assert.equal(reading('sallyport_push_streams'), 1);
  assert.equal(reading('sallyport_delegates_present'), 1);
  assert.equal(reading('sallyport_bus_in_step'), 1);
  assert.equal(reading('sallyport_http_requests_total', { route: 'none', method: 'GET', status: '4xx' }), 50);
  assert.ok((reading('process_resident_memory_bytes') ?? 0) > 0);

  const ours = samples.filter(({ name }) => name.startsWith('sallyport_'));
  const families = new Set(ours.map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')));
  for (const family of families) assert.ok(family in OURS, `${family} is not listed here, nor in docs/operations.md`);
  for (const { name, labels } of ours) {
    const allowed = [...(OURS[name.replace(/_(bucket|sum|count)$/, '')] ?? []), 'le'];
    for (const [label, text] of Object.entries(labels)) {
      assert.ok(allowed.includes(label), `${name} has the label ${label}`);
      if (label === 'endpoint') continue;
      assert.doesNotMatch(text, /acme|invented|PROPFIND|named-by-its-owner|stranger|127\.0\.0\.1/, `${name}{${label}}`);
    }
  }

  await dev.must('PATCH', '/ng/api/agent/mtls/endpoint?accountIdentifier=acme', {
    caCertificates: (await TestAuthority.create('New CA')).certificatePem,
  });
  await stream.closed;
  await eventually('the cut is counted', async () =>
    (await scraped()).text.includes('sallyport_connections_cut_total{code="UNKNOWN_ISSUER"} 1'),
  );
});

test('the listener for scrapers answers to loopback names only, and cannot be opened to others', async (t) => {
  const dev = await DevManager.start({ environment: { SALLYPORT_METRICS_LISTEN: '127.0.0.1:0' } });
  t.after(() => dev.stop());
  const port = dev.manager.metricsAddress?.port ?? 0;
  assert.equal((await scrape(port)).status, 200);
  assert.equal((await scrape(port, 'localhost:1')).status, 200);
  assert.equal((await scrape(port, 'rebound.example.com')).status, 421);
  assert.equal((await scrape(port, '127.0.0.1.example.com')).status, 421);
  assert.equal((await scrape(port, 'localhost', '/')).status, 404);
  assert.throws(() => readConfig({ SALLYPORT_METRICS_LISTEN: '0.0.0.0:9464' }), /0\.0\.0\.0 is not loopback/);
});

function scrape(port: number, host = '127.0.0.1', path = '/metrics'): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    request.on('error', reject);
  });
}
