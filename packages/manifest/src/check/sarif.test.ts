import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from './check.ts';
import { toSarif } from './sarif.ts';

test('findings become SARIF results that point at rule, file, line and column', () => {
  const found: Finding[] = [
    {
      code: 'MOUNT_CONFLICT',
      severity: 'error',
      line: 3,
      column: 5,
      message: 'Wrong.',
      remedy: 'Mend it.',
      fixable: false,
    },
    {
      code: 'IMAGE_NOT_IMMUTABLE',
      severity: 'note',
      line: 9,
      column: 1,
      message: 'Old.',
      remedy: 'Renew it.',
      fixable: false,
    },
  ];
  const { version, runs } = toSarif(found, 'deploy/my delegate.yaml', '1.2.3');
  assert.equal(version, '2.1.0');
  const [run] = runs;
  assert.deepEqual(
    run?.tool.driver.rules.map((rule) => rule.id),
    ['IMAGE_NOT_IMMUTABLE', 'MOUNT_CONFLICT'],
  );
  const [first, second] = run?.results ?? [];
  assert.equal(run?.tool.driver.rules[first?.ruleIndex ?? -1]?.id, first?.ruleId);
  assert.deepEqual(first?.message, { text: 'Wrong. Mend it.' });
  assert.deepEqual(first?.locations[0]?.physicalLocation, {
    artifactLocation: { uri: 'deploy/my%20delegate.yaml' },
    region: { startLine: 3, startColumn: 5 },
  });
  assert.equal(second?.level, 'note');
});
