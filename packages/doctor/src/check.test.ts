import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail, judgeAll, notApplicable, pass, type Rule } from './check.ts';

const rule = (id: Rule<null>['id'], needs: Rule<null>['needs'], judge: Rule<null>['judge']): Rule<null> => ({
  id,
  needs,
  judge,
});

test('what follows from a failure is not asked, and names the root of it through every step', () => {
  const asked: string[] = [];
  const checks = judgeAll(
    [
      rule('tcp', [], () => fail('refused', 'start it')),
      rule('tls', ['tcp'], () => {
        asked.push('tls');
        return pass('1.3');
      }),
      rule('manager', ['tls'], () => {
        asked.push('manager');
        return pass('answers');
      }),
    ],
    null,
  );
  assert.deepEqual(
    checks.map(({ id, status, because }) => [id, status, because]),
    [
      ['tcp', 'fail', null],
      ['tls', 'skipped', 'tcp'],
      ['manager', 'skipped', 'tcp'],
    ],
  );
  assert.deepEqual(asked, []);
});

test('a check that does not apply keeps nothing else from being made', () => {
  const checks = judgeAll(
    [rule('proxy', [], () => notApplicable('no proxy')), rule('tls', ['proxy'], () => pass('1.3'))],
    null,
  );
  assert.deepEqual(
    checks.map(({ status }) => status),
    ['skipped', 'pass'],
  );
});
