import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ShellResult, TaskStatus } from '@sallyport/protocol';
import { exitOfTask } from './task-outcome.ts';

const ran = (result: Partial<ShellResult>): ShellResult => ({
  exitCode: null,
  signal: null,
  stdout: '',
  stderr: '',
  truncated: false,
  timedOut: false,
  durationMs: 1,
  ...result,
});

const cases: ReadonlyArray<readonly [title: string, status: TaskStatus, result: unknown, exit: number]> = [
  ['a script that ended well', 'SUCCEEDED', ran({ exitCode: 0 }), 0],
  ['a script that ended with a code of its own', 'FAILED', ran({ exitCode: 42 }), 42],
  ['a script that a signal ended', 'FAILED', ran({ signal: 'SIGTERM' }), 143],
  ['a script whose time was up', 'FAILED', ran({ signal: 'SIGKILL', timedOut: true }), 124],
  ['a task that no delegate took', 'EXPIRED', null, 7],
  ['a task that was aborted while its script ran', 'ABORTED', ran({ exitCode: 0 }), 7],
  ['a task whose delegate was lost', 'FAILED', null, 7],
  ['a failed task whose script ended well', 'FAILED', ran({ exitCode: 0 }), 7],
  ['a task of another type', 'SUCCEEDED', { status: 200 }, 7],
];

for (const [title, status, result, exit] of cases) {
  test(`task run ends with ${exit} for ${title}`, () => assert.equal(exitOfTask({ status, result }), exit));
}
