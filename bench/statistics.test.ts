import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, pairedRatio, percentile } from './statistics.ts';

test('the median of an even number of values lies between the two in the middle', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([7]), 7);
});

test('a percentile is interpolated between neighbours and ends at the extremes', () => {
  const values = Array.from({ length: 101 }, (_, index) => index);
  assert.equal(percentile(values, 99), 99);
  assert.equal(percentile(values, 0), 0);
  assert.equal(percentile(values, 100), 100);
  assert.equal(percentile([10, 20], 25), 12.5);
});

test('nothing measured is an error and no number', () => {
  assert.throws(() => median([]), RangeError);
  assert.throws(() => pairedRatio([1], []), RangeError);
});

test('a round that disturbs both sides alike does not move the ratio', () => {
  assert.equal(pairedRatio([1, 10, 1], [2, 20, 2]), 0.5);
});
