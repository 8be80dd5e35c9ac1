import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountTally, badNews, describeBadNews } from './halting-rule.ts';

const RULE = { failurePercent: 20, failuresAtLeast: 3 };
const account = (healthy: number, failed: number, more: Partial<AccountTally> = {}): AccountTally => ({
  ...{ accountId: '', offered: healthy + failed, waiting: 0, taken: 0, healthy, failed },
  ...more,
});
const times = (count: number, tally: AccountTally) => Array.from({ length: count }, () => tally);
const halts = (tallies: readonly AccountTally[], accounts = tallies.length, delegates = 1000) =>
  badNews(tallies, { accounts, delegates }, RULE) !== null;

test('fewer failures than the setting stop nothing, unless the ring has no more delegates than that', () => {
  assert.equal(halts([account(0, 1)], 1), false);
  assert.equal(halts([account(0, 2)], 1), false);
  assert.equal(halts([account(0, 3)], 1), true);
  assert.equal(halts([account(0, 1)], 1, 1), true, 'all there are');
  assert.equal(halts([account(0, 1)], 1, 2), false, 'the other one may work');
});

test('the share is of what took the version, those included whose time is not over', () => {
  assert.equal(halts([account(12, 3)], 1), true);
  assert.equal(halts([account(13, 3)], 1), false);
  assert.equal(halts([account(0, 3, { taken: 13 })], 1), false);
  assert.equal(halts([account(0, 0, { waiting: 9, offered: 9 })], 1), false, 'told, and not taken');
});

test('one account cannot stop the others’ upgrades, however many delegates it lets fail', () => {
  // It registers a thousand delegates, says that each took the version, and lets them die.
  const attacker = account(0, 1000);
  assert.equal(halts([attacker], 2), false, 'first to be judged, with others still to come');
  assert.equal(halts([attacker, account(5, 0)]), false);
  assert.equal(halts([attacker, account(49, 1), account(5, 0)]), false, 'beside a failure that happens anywhere');
  assert.equal(halts([attacker, account(0, 3), ...times(9, account(1, 0))]), false, 'two of eleven');
  assert.equal(halts([attacker, account(0, 3), ...times(8, account(1, 0))]), true, 'two of ten');
});

test('one account cannot hide that a version breaks the others, however many healthy delegates it shows', () => {
  assert.equal(halts([account(100_000, 0), account(0, 2), account(0, 1)]), true);
});

test('it says how many of how many', () => {
  const bad = badNews([account(1, 2), account(0, 2), account(1, 0)], { accounts: 9, delegates: 9 }, RULE);
  assert.ok(bad !== null);
  const text = '4 of 6 delegates that took a:1 came back unhealthy or not at all, too many in 2 of 3 accounts.';
  assert.equal(describeBadNews(bad, 'a:1'), text);
});
