import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratioGoal, table } from './report.ts';

test('a row names both figures, their ratio and whether the goal is met', () => {
  const text = table([
    { measure: 'handshake', ours: '0.6 ms', peer: 'nginx', theirs: '1.0 ms', ratio: 0.6, goal: ratioGoal(0.7, 0.6) },
    { measure: 'heartbeat', ours: '20 us', peer: 'nginx', theirs: '10 us', ratio: 2, goal: ratioGoal(1, 2) },
    { measure: 'memory', ours: '50 KiB', peer: 'HAProxy', theirs: 'not installed', ratio: null, goal: null },
  ]);
  const [, , first, second, third] = text.split('\n').map((line) => line.replace(/ +/g, ' '));
  assert.equal(first, '| handshake | 0.6 ms | nginx | 1.0 ms | 0.60 | <= 0.70 met |');
  assert.equal(second, '| heartbeat | 20 us | nginx | 10 us | 2.00 | <= 1.00 MISSED |');
  assert.equal(third, '| memory | 50 KiB | HAProxy | not installed | | |');
});
