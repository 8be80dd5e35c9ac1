import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ManagerError } from '@sallyport/client';
import { pino } from 'pino';
import { ConnectionState } from '../connection/connection-state.ts';
import { healthReport } from './health-report.ts';
import { startHealthServer } from './health-server.ts';
import { createMetrics } from './metrics.ts';

async function setup(context: TestContext) {
  let now = 1_000_000_000_000;
  let running = 0;
  const state = new ConnectionState(pino({ level: 'silent' }), () => now);
  const metrics = createMetrics({
    connected: () => state.phase === 'connected',
    certificateDaysLeft: () => 12.5,
    memoryThresholdPercent: 80,
  });
  const report = () =>
    healthReport({
      name: 'edge-1',
      version: '0.1.0',
      manager: 'https://m',
      state,
      delegateId: 'd-1',
      identity: null,
      certificateProblem: null,
      verdict: null,
      tasksRunning: running,
      resultsUnreported: 0,
      unhealthyAfterMs: 60_000,
      now,
    });
  const server = await startHealthServer({ host: '127.0.0.1', port: 0 }, report, metrics.registry);
  context.after(() => server.close());
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
  return {
    state,
    get,
    advance: (ms: number) => (now += ms),
    work: (count: number) => {
      running = count;
    },
  };
}

test('health is 200 in the first attempts and while connected, 503 after too long without a connection', async (context) => {
  const { state, get, advance } = await setup(context);
  const status = async () => (await get('/api/health')).status;
  assert.equal(await status(), 200);
  advance(60_001);
  assert.equal(await status(), 503);
  state.connected('push');
  advance(600_000);
  assert.equal(await status(), 200);
  state.failed(
    new ManagerError({ status: 401, code: 'UNKNOWN_ISSUER', message: 'issued by CN=Other', remedy: 'use yours' }),
  );
  assert.equal(await status(), 200);
  advance(60_001);
  const answer = await get('/api/health');
  assert.equal(answer.status, 503);
  const { connection, lastTrouble } = (await answer.json()) as Record<string, Record<string, unknown>>;
  assert.equal(connection?.['state'], 'refused');
  const { code, message, remedy } = lastTrouble ?? {};
  assert.deepEqual([code, message, remedy], ['UNKNOWN_ISSUER', 'issued by CN=Other', 'use yours']);
});

test('health stays 200 while tasks run: a restart by the probe would lose them', async (context) => {
  const { get, advance, work } = await setup(context);
  work(1);
  advance(60_001);
  assert.equal((await get('/api/health')).status, 200);
  work(0);
  assert.equal((await get('/api/health')).status, 503);
});

test('metrics have the names that dashboards for delegates know', async (context) => {
  const { state, get } = await setup(context);
  state.connected('poll');
  const text = await (await get('/api/metrics')).text();
  for (const name of [
    'task_execution_time_count 0',
    'tasks_currently_executing 0',
    'task_timeout_total 0',
    'task_completed_total 0',
    'task_failed_total 0',
    'task_rejected_total 0',
    'delegate_connected 1',
    'resource_consumption_above_threshold',
  ]) {
    assert.ok(text.includes(`\nio_harness_custom_metric_${name}`), name);
  }
  assert.ok(text.includes('\nsallyport_delegate_client_certificate_days_left 12.5'));
});

test('nothing else is there, and nothing but reading', async (context) => {
  const { get } = await setup(context);
  assert.equal((await get('/')).status, 404);
  assert.equal((await get('/api/health', { method: 'POST' })).status, 405);
  assert.equal((await get('/api/health', { method: 'HEAD' })).status, 200);
});
