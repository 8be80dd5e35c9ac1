import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundedCache } from './bounded-cache.ts';

test('a bounded cache keeps the entries that were used last, never more than it may', () => {
  const cache = boundedCache<string, number>(3);
  for (const [index, name] of ['a', 'b', 'c'].entries()) cache.set(name, index);
  assert.equal(cache.get('a'), 0);
  cache.set('d', 3);
  assert.deepEqual([...cache.keys()], ['d', 'a', 'c']);
  cache.set('a', 9);
  assert.equal(cache.size, 3, 'an entry that is set again counts once');
});
