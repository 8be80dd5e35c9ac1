import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Check } from 'typebox/value';
import { RunnerTaskResponse } from './agent.ts';

test('a runner whose handler wrote nothing may send its output as null, which it would repeat for minutes when refused', () => {
  assert.ok(Check(RunnerTaskResponse, { id: 't', type: 'ECHO', code: 'OK', data: null }));
  assert.ok(Check(RunnerTaskResponse, { id: 't', type: 'ECHO', code: 'OK' }));
  assert.ok(!Check(RunnerTaskResponse, { id: 't', data: 1 }));
});
