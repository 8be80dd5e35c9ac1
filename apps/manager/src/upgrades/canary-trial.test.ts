import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CanaryTrial, verdictOn } from './canary-trial.ts';

const IMAGE = 'harness/delegate:25.09.1';
const TRIED: CanaryTrial = {
  ...{ component: 'DELEGATE', image: IMAGE, accounts: 1, kept: 4, took: 2, healthy: 1, failed: 0 },
  ...{ failingAccounts: 0, tookAccounts: 1, failurePercent: 20 },
  ...{ nextJudgedAt: null, watchMs: 1_800_000, published: { image: IMAGE, halted: false, haltedReason: null } },
};

function refusal(more: Partial<CanaryTrial>): string {
  const verdict = verdictOn({ ...TRIED, ...more });
  assert.ok(!verdict.passed);
  return `${verdict.message} ${verdict.remedy}`;
}

test('the rest gets what one of the canary took and came back with', () => {
  assert.deepEqual(verdictOn(TRIED), { passed: true, warning: null });
});

test('what the canary does not have, has halted, has not taken or is not back with is refused, with what to wait for', () => {
  assert.match(
    refusal({ published: null }),
    /was not tried: ring canary has nothing\. Publish it to ring canary first/,
  );
  const other = { image: 'harness/delegate:25.08.1', halted: false, haltedReason: null };
  assert.match(refusal({ published: other }), /ring canary has harness\/delegate:25\.08\.1/);
  const halted = { image: IMAGE, halted: true, haltedReason: '3 of 3' };
  assert.match(refusal({ published: halted }), /is halted in ring canary: 3 of 3/);
  assert.match(refusal({ published: halted, kept: 0 }), /is halted in ring canary/);
  assert.match(
    refusal({ took: 0, healthy: 0 }),
    /of the 4 delegates in ring canary none has taken it\. Wait until .* healthy for 30 minutes, or go ahead .*--force/,
  );
  assert.match(
    refusal({ healthy: 0, failed: 1, nextJudgedAt: Date.UTC(2026, 0, 1) }),
    /2 took it, 0 are healthy and 1 failed\. .*the next is judged at 2026-01-01T00:00:00\.000Z/,
  );
});

test('a canary with nobody who could try it is said, and does not stand in the way', () => {
  const warning = (more: Partial<CanaryTrial>) => {
    const verdict = verdictOn({ ...TRIED, took: 0, healthy: 0, kept: 0, published: null, ...more });
    return verdict.passed ? verdict.warning?.message : assert.fail(verdict.message);
  };
  assert.match(warning({ accounts: 0 }) ?? '', /^It goes to ring stable untried: .* no account is in it/);
  assert.match(warning({ accounts: 2 }) ?? '', /no upgrader of its accounts \(2\) is calling/);
});

test('one that works hides no others that failed: too many refuse it, and fewer are said', () => {
  const failed = { took: 11, failed: 10, failingAccounts: 1, tookAccounts: 2 };
  assert.match(
    refusal(failed),
    /10 of the 11 delegates that took it in ring canary failed, too many in 1 of 2 accounts\. Look at why .*--force/,
  );
  const oneAccount = { took: 100, healthy: 97, failed: 3, failingAccounts: 1, tookAccounts: 5 };
  assert.match(
    refusal(oneAccount),
    /3 of the 100 .* too many in 1 of 5 accounts/,
    'one account has few delegates, all failed',
  );
  assert.match(refusal({ took: 10, healthy: 8, failed: 2, tookAccounts: 9 }), /2 of the 10/);
  const verdict = verdictOn({ ...TRIED, took: 10, healthy: 9, failed: 1, tookAccounts: 3 });
  assert.ok(verdict.passed);
  assert.deepEqual(verdict.warning, {
    code: 'FAILED_IN_CANARY',
    message:
      'It goes to ring stable although 1 of the 10 delegates that took it in ring canary failed, too many in 0 of 3 accounts.',
  });
});
