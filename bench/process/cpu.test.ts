// Alone in its process: measures its CPU, its memory and its children.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuSeconds, parseCpuTicks, residentKiB, withChildren } from './cpu.ts';

const linux = process.platform === 'linux' ? false : '/proc is Linux';

test('CPU ticks are read behind a process name that looks like the end of it', () => {
  assert.equal(parseCpuTicks('7 (a) b) S 1 7 7 0 -1 4194560 3537 0 0 0 31 12 5 5 20 0 7 0 342380'), 43);
});

test('a line without times is refused', () => {
  assert.throws(() => parseCpuTicks('7 (node) S 1'), /cannot read CPU times/);
});

test('this process has used CPU, holds memory and is the first of itself and its children', { skip: linux }, () => {
  assert.ok(cpuSeconds([process.pid]) > 0);
  assert.ok(residentKiB(process.pid) > 1_000);
  assert.equal(withChildren(process.pid)[0], process.pid);
});
