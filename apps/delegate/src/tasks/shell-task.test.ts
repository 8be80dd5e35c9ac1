import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from '@sallyport/dev-env';
import type { ShellResult } from '@sallyport/protocol';
import { pino } from 'pino';
import { plainOutput } from '../../test/task-output.ts';
import { shellTaskHandler } from './shell-task.ts';
import { TaskInterruption, type TaskOutcome } from './task-handler.ts';

const OUTPUT = { secrets: {}, output: plainOutput() };

const handler = shellTaskHandler({
  environment: { PATH: '/usr/bin:/bin', FROM_DELEGATE: '1' },
  outputLimitBytes: 1000,
  killGraceMs: 100,
});
const logger = pino({ level: 'silent' });

async function run(data: unknown, signal = new AbortController().signal): Promise<TaskOutcome & { data: ShellResult }> {
  const outcome = await handler.run(data, { taskId: 't-1', signal, logger, ...OUTPUT });
  return { ...outcome, data: outcome.data as ShellResult };
}

/** A folder in which a script shows that it has come to a point. */
function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-shell-test-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function appears(path: string, name: string): Promise<void> {
  const watcher = watch(path);
  const seen = Promise.withResolvers<void>();
  watcher.on('change', () => existsSync(join(path, name)) && seen.resolve());
  if (existsSync(join(path, name))) seen.resolve();
  await seen.promise;
  watcher.close();
}

/** A zombie counts as ended: it waits only to be collected by whoever adopted it. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch (error) {
    assert.match(String(error), /ESRCH|ENOENT/);
    return false;
  }
}

test('a script runs with its outputs apart, in an empty directory that is gone afterwards', async () => {
  const { data, error } = await run({ script: 'echo out; echo err >&2; ls -A; pwd' });
  assert.equal(error, null);
  const [line, directory] = data.stdout.trim().split('\n');
  assert.equal(line, 'out');
  assert.equal(data.stderr, 'err\n');
  assert.deepEqual([data.exitCode, data.signal, data.truncated, data.timedOut], [0, null, false, false]);
  assert.ok(directory !== undefined && !existsSync(directory));
});

test('an exit code other than zero fails the task and keeps the output', async () => {
  const { data, error } = await run({ script: 'echo before; exit 7' });
  assert.equal(error, 'The script ended with exit code 7.');
  assert.deepEqual([data.exitCode, data.stdout], [7, 'before\n']);
});

test('the environment is the given one and what the task adds', async () => {
  const { data } = await run({ script: 'env', interpreter: 'bash', environment: { FROM_TASK: '2' } });
  const names = data.stdout.split('\n').map((line) => line.split('=')[0]);
  assert.ok(names.includes('FROM_DELEGATE') && names.includes('FROM_TASK'));
  assert.ok(!names.includes('HOME'));
});

test('the text of a script is not shown in the list of processes', async () => {
  const { data } = await run({ script: 'tr "\\0" " " < /proc/$$/cmdline # hunter2' });
  assert.match(data.stdout, /^sh .*script/);
  assert.ok(!data.stdout.includes('hunter2'));
});

test('a script larger than an argument may be runs', async () => {
  const { data } = await run({ script: `${'# filler\n'.repeat(25_000)}echo end` });
  assert.equal(data.stdout, 'end\n');
});

test('output beyond the limit is dropped and said so', async () => {
  const { data } = await run({ script: 'yes | head -c 100000; echo last' });
  assert.equal(data.truncated, true);
  assert.ok(data.stdout.length < 1100);
  assert.ok(data.stdout.endsWith('last\n'));
});

test('data that does not fit and a directory that is not there are told', async () => {
  await assert.rejects(run({ script: 1 }), /must be \{ "script": "\.\.\." \}/);
  await assert.rejects(
    run({ script: 'ls', workingDirectory: '/nowhere' }),
    /\/nowhere does not exist on this delegate/,
  );
});

test('an interruption ends the whole group, grandchildren included, and keeps what was written', async (context) => {
  const path = folder(context);
  const interruption = new AbortController();
  const running = run(
    { script: `echo started; sleep 60 & echo $! > ${path}/child; touch ${path}/ready; wait` },
    interruption.signal,
  );
  await appears(path, 'ready');
  const child = Number(readFileSync(join(path, 'child'), 'utf8'));
  assert.ok(isAlive(child));
  interruption.abort(new TaskInterruption('abort', 'aborted by request'));
  const { data, error } = await running;
  assert.equal(error, 'aborted by request');
  assert.deepEqual([data.stdout, data.signal, data.timedOut], ['started\n', 'SIGTERM', false]);
  await eventually('the grandchild has ended', () => !isAlive(child));
});

test('a script that ignores TERM is killed after the grace', async (context) => {
  const path = folder(context);
  const interruption = new AbortController();
  const running = run(
    { script: `trap "" TERM; touch ${path}/ready; while :; do sleep 0.05; done` },
    interruption.signal,
  );
  await appears(path, 'ready');
  interruption.abort(new TaskInterruption('timeout', 'its time is over'));
  const { data, error } = await running;
  assert.deepEqual([data.signal, data.timedOut, error], ['SIGKILL', true, 'its time is over']);
});

test('what a script leaves running is ended with it, and what left the group does not hold the result up', async () => {
  const away = `setsid sh -c 'touch away; sleep 3' & while [ ! -e away ]; do sleep 0.01; done`;
  const { data, error } = await run({ script: `sleep 60 & echo $!; ${away}` });
  assert.equal(error, null);
  assert.ok(data.durationMs < 1900);
  await eventually('the background process has ended', () => !isAlive(Number(data.stdout.trim())));
});
