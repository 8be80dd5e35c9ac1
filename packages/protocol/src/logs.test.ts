import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logKey, taskLogAbstractions } from './logs.ts';

test('the key of a log is its abstractions in their order', () => {
  assert.equal(logKey({ run: '1', step: 'build:linux' }), 'run:1/step:build:linux');
  assert.equal(logKey(taskLogAbstractions('4711')), 'taskId:4711');
});
