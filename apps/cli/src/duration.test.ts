import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration, parseMoment } from './duration.ts';

test('durations are read with their units, also several', () => {
  assert.equal(parseDuration('500ms'), 500);
  assert.equal(parseDuration('30s'), 30_000);
  assert.equal(parseDuration('1h30m'), 5_400_000);
  assert.equal(parseDuration('90d'), 7_776_000_000);
});

test('a number without a unit is no duration, nor is anything else', () => {
  for (const text of ['', '30', 's', '1.5h', '-1s', '30 s', '1w', '99999999999999999d']) {
    assert.equal(parseDuration(text), null, text);
  }
});

test('a moment is a duration from now, a date or a date with a time', () => {
  const now = Date.UTC(2026, 0, 1);
  assert.equal(parseMoment('2d', now), now + 172_800_000);
  assert.equal(parseMoment('2027-01-31', now), Date.UTC(2027, 0, 31));
  assert.equal(parseMoment('2027-01-31T12:00:00+02:00', now), Date.UTC(2027, 0, 31, 10));
  for (const text of ['tomorrow', '31.1.2027', '2027-13-01', '1']) assert.equal(parseMoment(text, now), null, text);
});
