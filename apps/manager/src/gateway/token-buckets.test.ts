import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenBuckets } from './token-buckets.ts';

test('a burst passes, then as many a second as the rate says, for each key on its own', () => {
  let now = 1_000;
  const buckets = new TokenBuckets({ perSecond: 2, burst: 3 }, () => now);
  const passed = (key: string, tries: number) => Array.from({ length: tries }).filter(() => buckets.take(key)).length;
  assert.equal(passed('a', 10), 3);
  assert.equal(passed('b', 10), 3);
  now += 1_000;
  assert.equal(passed('a', 10), 2);
  now += 60_000;
  assert.equal(passed('a', 10), 3, 'no more than the burst adds up');
});

test('what is refused costs nothing: whoever keeps trying is not locked out', () => {
  let now = 0;
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, () => now);
  assert.equal(buckets.take('a'), true);
  for (let tries = 0; tries < 100; tries += 1) assert.equal(buckets.take('a'), false);
  now += 1_000;
  assert.equal(buckets.take('a'), true);
});

test('keys without end do not grow the memory', () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, () => 0, 100);
  for (let key = 0; key < 1_000; key += 1) buckets.take(String(key));
  assert.equal(buckets.size, 100);
});
