import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delegate } from '../delegates/delegate-store.ts';
import { autoUpgradeState } from './auto-upgrade.ts';
import type { UpgraderCall } from './check-store.ts';

const NOW = Date.UTC(2026, 0, 2);
const minutesAgo = (minutes: number) => NOW - minutes * 60_000;
const state = (calls: readonly UpgraderCall[], registeredAt = minutesAgo(600), version = '25.09.1') =>
  autoUpgradeState('edge', [{ version, registeredAt } as Delegate], calls, NOW);
const call = (delegateName: string, minutes: number, more: Partial<UpgraderCall> = {}): UpgraderCall => ({
  ...{ delegateName, at: minutesAgo(minutes), tag: '25.09.1', isCurrent: true },
  ...more,
});

test('without a call it is looked for during 90 minutes, then it is off', () => {
  assert.equal(state([], minutesAgo(89)), 'DETECTING');
  assert.equal(state([], minutesAgo(90)), 'OFF');
});

test('with a call it is on at its version, synchronizing before, and off 90 minutes after the last one', () => {
  assert.equal(state([call('edge', 89)]), 'ON');
  assert.equal(state([call('edge', 90)]), 'OFF');
  assert.equal(state([call('edge', 1, { isCurrent: false })]), 'SYNCHRONIZING');
  assert.equal(state([call('edge', 1)], minutesAgo(600), '25.08.1'), 'SYNCHRONIZING');
});

test('a call that names no delegate counts for its version, also after one that named it is over', () => {
  assert.equal(state([call('', 1)]), 'ON');
  assert.equal(state([call('', 1), call('edge', 300)]), 'ON');
  assert.equal(state([call('', 1, { tag: '25.07.1' }), call('edge', 300)]), 'OFF', 'it is about others');
  assert.equal(state([call('other', 1)]), 'OFF');
});
