import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agreedVersion } from './api-version.ts';

test('the newest version that both sides have is spoken, and where there is none it is said', () => {
  const agreed = (offered: string | null) => agreedVersion(offered, 'docker.sock');
  assert.deepEqual(['1.41', '1.44', '1.47', '1.51', '1.60'].map(agreed), [41, 44, 47, 51, 51]);
  assert.throws(() => agreed('1.40'), /docker\.sock has API version 1\.40; this upgrader speaks 1\.41 to 1\.51/);
  for (const none of [null, '', '2.0', '1.x']) assert.throws(() => agreed(none), /this upgrader speaks/);
});
