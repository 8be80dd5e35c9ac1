import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CronSchedule } from './schedule.ts';

const at = (text: string, date: string) => CronSchedule.parse(text)?.matches(new Date(date));

test('a schedule names minutes as cron does', () => {
  assert.equal(at('0 */1 * * *', '2026-11-21T22:00:00'), true);
  assert.equal(at('0 */1 * * *', '2026-11-21T22:01:00'), false);
  assert.equal(at('*/15 8-17 * * 1-5', '2026-11-20T08:45:00'), true, 'a Friday');
  assert.equal(at('*/15 8-17 * * 1-5', '2026-11-21T08:45:00'), false, 'a Saturday');
  assert.equal(at('5,10 3 * 11 *', '2026-11-21T03:10:00'), true);
  assert.equal(at('0 0 * * 7', '2026-11-22T00:00:00'), true, 'a Sunday');
  assert.equal(at('0 0 1 * 0', '2026-11-22T00:00:00'), true, 'either of two restricted days');
});

test('what is no schedule is none', () => {
  for (const text of [
    '',
    '* * * *',
    '60 * * * *',
    '* 24 * * *',
    '5-1 * * * *',
    '*/0 * * * *',
    'a * * * *',
    '@hourly',
  ]) {
    assert.equal(CronSchedule.parse(text), null, text);
  }
});
