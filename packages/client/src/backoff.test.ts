import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';

test('the bound doubles up to its maximum and starts again after a reset', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1000, random: () => 1 - Number.EPSILON });
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map(() => backoff.next()),
    [100, 200, 400, 800, 1000, 1000],
  );
  backoff.reset();
  assert.equal(backoff.next(), 100);
});

test('a delay is spread over nine tenths of its bound and never falls to nothing', () => {
  const lowest = new Backoff({ baseMs: 100, maxMs: 1000, random: () => 0 });
  assert.equal(lowest.next(), 10);
  const middle = new Backoff({ baseMs: 100, maxMs: 1000, random: () => 0.5 });
  assert.equal(middle.next(), 55);
});

test('what the server asked for is a lower bound', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1000, random: () => 0.5 });
  assert.equal(backoff.next(5000), 5000);
});
