import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextAttemptAt, RETRY_AFTER_MS } from './schedule.ts';

test('ten attempts within about two days, further apart each time, then none', () => {
  let at = 0;
  let attempts = 1;
  for (; ; attempts += 1) {
    const next = nextAttemptAt(attempts, at, () => 0.5);
    if (next === null) break;
    assert.equal(next - at, RETRY_AFTER_MS[attempts - 1]);
    at = next;
  }
  assert.equal(attempts, 10);
  assert.ok(at > 2 * 86_400_000 && at < 2.2 * 86_400_000, `${at / 86_400_000} days`);
});

test('jitter spreads attempts by a fifth to either side', () => {
  assert.equal(
    nextAttemptAt(2, 0, () => 0),
    24_000,
  );
  assert.equal(
    nextAttemptAt(2, 0, () => 0.999_999),
    36_000,
  );
});
