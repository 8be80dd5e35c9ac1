import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Value } from 'typebox/value';
import { LogLine, LogLines, TailFrom } from './logs.ts';

test('a line of an existing writer is a line', () => {
  const line = { level: 'info', pos: 0, out: 'hi\n', time: '2026-01-02T03:04:05.000000006Z', args: null };
  assert.ok(Value.Check(LogLines, [line, { ...line, args: { step: '2' }, more: 1 }, { out: '' }]));
  for (const wrong of [{}, { out: 1 }, { out: 'a', pos: 'b' }, { out: 'a', args: { a: 1 } }, null, 'text']) {
    assert.ok(!Value.Check(LogLine, wrong), JSON.stringify(wrong));
  }
});

test('a tail begins at the start, the end, or a sequence number', () => {
  for (const from of ['start', 'end', '1', '4711']) assert.ok(Value.Check(TailFrom, from), from);
  for (const from of ['', '0', '-1', '1.5', 'now', '1e3', ' 1', '9'.repeat(16)])
    assert.ok(!Value.Check(TailFrom, from), from);
});
