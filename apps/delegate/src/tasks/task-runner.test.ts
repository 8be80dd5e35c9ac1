import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ManagerError, TransportError } from '@sallyport/client';
import { eventually } from '@sallyport/dev-env';
import type { AcquiredTask, TaskEvent, TaskResponse } from '@sallyport/protocol';
import { pino } from 'pino';
import { plainOutput } from '../../test/task-output.ts';
import { createMetrics } from '../health/metrics.ts';
import { ResultReporter } from './result-reporter.ts';
import { HandlerRegistry, type TaskContext, type TaskOutcome } from './task-handler.ts';
import { TaskRunner } from './task-runner.ts';

const logger = pino({ level: 'silent' });

const event = (delegateTaskId: string, taskType = 'TEST', abort = false): TaskEvent => ({
  accountId: 'acme',
  delegateTaskId,
  sync: false,
  taskType,
  eventType: abort ? 'DelegateTaskAbortEvent' : 'DelegateTaskEvent',
});

function acquired(id: string, timeout = 60_000): AcquiredTask {
  const delegate = { id: 'd-1', instance_id: 'd-1', token: '' };
  const logging = { token: '', abstractions: {} };
  return { id, type: 'TEST', data: { n: 1 }, async: true, timeout, logging, delegate, capabilities: [] };
}

interface Options {
  readonly acquire?: (taskId: string) => Promise<AcquiredTask | null>;
  readonly send?: (taskId: string, response: TaskResponse) => Promise<void>;
  readonly concurrency?: number;
}

/** A runner with one handler whose tasks end when the test says so, or when they are interrupted. */
function setup(context: TestContext, { acquire = async (id) => acquired(id), send, concurrency = 10 }: Options = {}) {
  const reports: { taskId: string; response: TaskResponse }[] = [];
  const started: { context: TaskContext; finish: (outcome: TaskOutcome) => void; fail: (error: Error) => void }[] = [];
  const handler = {
    type: 'TEST',
    run: (_data: unknown, context: TaskContext) => {
      const { promise, resolve: finish, reject: fail } = Promise.withResolvers<TaskOutcome>();
      context.signal.addEventListener('abort', () => finish({ data: 'so far', error: context.signal.reason.message }));
      started.push({ context, finish, fail });
      return promise;
    },
  };
  const metrics = createMetrics({ connected: () => true, certificateDaysLeft: null, memoryThresholdPercent: 80 });
  const reporter = new ResultReporter({
    send: async (_delegateId, taskId, response) => {
      await send?.(taskId, response);
      reports.push({ taskId, response });
    },
    baseMs: 1,
    maxMs: 2,
    logger,
  });
  const runner = new TaskRunner({
    acquire: (_delegateId, taskId) => acquire(taskId),
    handlers: new HandlerRegistry([handler]),
    outputOf: async () => plainOutput(),
    reporter,
    metrics,
    concurrency,
    retryBaseMs: 1,
    retryMaxMs: 2,
    logger,
  });
  // What a test leaves running would hold its process until the time limit.
  context.after(() => runner.interruptAll('the test is over'));
  return { runner, reporter, metrics, reports, started };
}

const ran = (started: unknown[], count: number) => eventually(`${count} tasks run`, () => started.length === count);

test('a task is acquired, run and reported', async (context) => {
  const { runner, reporter, reports, started } = setup(context);
  assert.equal(runner.handle('d-1', [event('t-1')]), true);
  await ran(started, 1);
  started[0]?.finish({ data: { answer: 42 }, error: null });
  assert.ok(await runner.idle(5000));
  assert.ok(await reporter.flushed(5000));
  assert.deepEqual(reports, [
    { taskId: 't-1', response: { id: 't-1', type: 'TEST', code: 'OK', data: { answer: 42 } } },
  ]);
});

test('what a handler throws and what it calls an error are reported as a failure', async (context) => {
  const { runner, reporter, reports, started } = setup(context);
  runner.handle('d-1', [event('t-1'), event('t-2')]);
  await ran(started, 2);
  started[0]?.fail(new Error('no such file'));
  started[1]?.finish({ data: 'output', error: 'exit code 3' });
  await runner.idle(5000);
  await reporter.flushed(5000);
  const failures = reports.map(({ response: { code, data, error } }) => ({ code, data, error }));
  assert.deepEqual(failures, [
    { code: 'FAILED', data: null, error: 'no such file' },
    { code: 'FAILED', data: 'output', error: 'exit code 3' },
  ]);
});

test('an offer is declined while it runs already, is of an unknown type, or there is no room', async (context) => {
  const { runner, metrics, started } = setup(context, { concurrency: 1 });
  assert.equal(runner.handle('d-1', [event('t-0', 'OTHER')]), false);
  assert.equal(runner.handle('d-1', [event('t-1')]), true);
  assert.equal(runner.handle('d-1', [event('t-1')]), false);
  assert.equal(runner.handle('d-1', [event('t-2')]), false);
  assert.equal((await metrics.rejected.get()).values[0]?.value, 1);
  await ran(started, 1);
  started[0]?.finish({ data: null, error: null });
  await runner.idle(5000);
  assert.equal(runner.handle('d-1', [event('t-2')]), true);
});

test('a lost race is dropped, a lost answer is asked for again', async (context) => {
  const answers: (() => Promise<AcquiredTask | null>)[] = [
    () => Promise.reject(new TransportError('CONNECTION_LOST', 'gone', 'wait')),
    () => Promise.reject(new ManagerError({ status: 503, code: 'SERVICE_UNAVAILABLE', message: 'starting' })),
    async () => acquired('t-1'),
    async () => null,
  ];
  const { runner, started } = setup(context, { acquire: () => answers.shift()?.() ?? Promise.resolve(null) });
  runner.handle('d-1', [event('t-1')]);
  await ran(started, 1);
  runner.handle('d-1', [event('t-2')]);
  await eventually('both offers are dealt with', () => answers.length === 0 && runner.running === 1);
  assert.equal(started.length, 1);
});

test('an abort ends the task and its result is still reported', async (context) => {
  const { runner, reporter, reports, started } = setup(context);
  runner.handle('d-1', [event('t-1')]);
  await ran(started, 1);
  assert.equal(runner.handle('d-1', [event('t-1', 'TEST', true)]), true);
  await runner.idle(5000);
  await reporter.flushed(5000);
  assert.deepEqual(reports[0]?.response, {
    id: 't-1',
    type: 'TEST',
    code: 'FAILED',
    data: 'so far',
    error: 'The task was aborted by request.',
  });
  assert.equal(runner.handle('d-1', [event('t-9', 'TEST', true)]), false);
});

test('a task is ended at its time limit', async (context) => {
  const { runner, metrics, reporter, reports } = setup(context, { acquire: async (id) => acquired(id, 20) });
  runner.handle('d-1', [event('t-1')]);
  await runner.idle(5000);
  await reporter.flushed(5000);
  assert.match(reports[0]?.response.error ?? '', /time limit of 20 ms/);
  assert.equal((await metrics.timeouts.get()).values[0]?.value, 1);
});

test('a draining runner takes nothing more and lets what runs end', async (context) => {
  const { runner, started } = setup(context);
  runner.handle('d-1', [event('t-1')]);
  await ran(started, 1);
  runner.drain();
  assert.equal(runner.handle('d-1', [event('t-2')]), false);
  assert.equal(await runner.idle(10), false);
  runner.interruptAll('stopped');
  assert.equal(await runner.idle(5000), true);
});

test('a result is sent until the manager has taken it, and its task is not taken again meanwhile', async (context) => {
  let failures = 3;
  const { runner, reporter, reports, started } = setup(context, {
    send: async () => {
      failures -= 1;
      if (failures === 1)
        throw new ManagerError({ status: 401, code: 'CLIENT_CERTIFICATE_EXPIRED', message: 'expired' });
      if (failures > 0) throw new TransportError('CONNECTION_REFUSED', 'nobody there', 'wait');
    },
  });
  runner.handle('d-1', [event('t-1')]);
  await ran(started, 1);
  started[0]?.finish({ data: 1, error: null });
  await runner.idle(5000);
  assert.equal(reporter.unreported, 1);
  assert.equal(runner.handle('d-1', [event('t-1')]), false);
  assert.ok(await reporter.flushed(5000));
  assert.equal(reports.length, 1);
});

test('a result that is too large is reported without its output, one that is not wanted is dropped', async (context) => {
  const seen: TaskResponse[] = [];
  const { reporter } = setup(context, {
    send: async (taskId, response) => {
      seen.push(response);
      if (taskId === 't-2') throw new ManagerError({ status: 404, code: 'ENTITY_NOT_FOUND', message: 'no such task' });
      if (response.data !== null)
        throw new ManagerError({ status: 413, code: 'PAYLOAD_TOO_LARGE', message: 'too large' });
    },
  });
  reporter.report('d-1', 't-1', { id: 't-1', code: 'OK', data: 'x'.repeat(100) });
  assert.ok(await reporter.flushed(5000));
  assert.equal(seen[1]?.code, 'FAILED');
  assert.match(seen[1]?.error ?? '', /output was larger than the manager takes/);
  reporter.report('d-1', 't-2', { id: 't-2', code: 'OK', data: 1 });
  assert.ok(await reporter.flushed(5000));
  assert.equal(seen.length, 3);
});
