import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHECKS } from './check.ts';
import { diagnose } from './diagnose.ts';

const document = readFileSync(join(import.meta.dirname, '../../../docs/doctor.md'), 'utf8');

test('every check is made once, in the order of the list, and docs/doctor.md explains them in that order', async () => {
  const { checks } = await diagnose({ environment: {} });
  assert.deepEqual(
    checks.map(({ id }) => id),
    Object.keys(CHECKS),
  );
  const [, section = ''] = document.split('\n## Checks\n');
  const documented = [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, id]) => id);
  assert.deepEqual(documented, Object.keys(CHECKS));
});

test('without an environment it says what is not set, and looks at nothing else', async () => {
  const { status, cause, checks, tookMs } = await diagnose({ environment: {} });
  assert.equal(status, 'fail');
  assert.equal(cause?.id, 'environment');
  for (const name of ['MANAGER_HOST_AND_PORT', 'ACCOUNT_ID', 'DELEGATE_NAME'])
    assert.match(cause?.evidence ?? '', new RegExp(`${name} is not set`));
  assert.equal(checks.find(({ id }) => id === 'tcp')?.because, 'environment');
  assert.ok(tookMs < 1000);
});
