import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOlderTag, parseDelegateVersion, versionInTag } from './delegate-version.ts';

test('versions are compared as numbers, part by part', () => {
  assert.ok(isOlderTag('25.09.86700', '25.10.1'));
  assert.ok(isOlderTag('25.09.9', '25.09.10'));
  assert.ok(isOlderTag('24.12.99999', '25.01.1'));
  assert.ok(isOlderTag('25.09.1.minimal', '25.09.2'));
  assert.ok(!isOlderTag('25.09.1.minimal', '25.09.1'));
  assert.ok(!isOlderTag('25.10.1', '25.09.86700'));
});

test('a tag that names no version is neither older nor newer', () => {
  for (const tag of ['latest', '25.9.1', '25.09', '25.13.1', '25.09.1.minimal\n', '', null]) {
    assert.equal(parseDelegateVersion(tag ?? ''), null, String(tag));
    assert.ok(!isOlderTag('20.01.1', tag));
    assert.ok(!isOlderTag(tag, '30.01.1'));
  }
});

test('what others write around a version does not hide it', () => {
  const written = ['v25.09.1', '25.09.1-ubi', '25.09.1_2', '25.09.1.ubi', 'v25.09.1-rc.1'];
  for (const tag of written) {
    assert.deepEqual(versionInTag(tag), parseDelegateVersion('25.09.1'), tag);
    assert.equal(parseDelegateVersion(tag), null, tag);
  }
  assert.equal(versionInTag('v25.09.1.minimal-2')?.minimal, true);
  for (const tag of ['latest', 'x25.09.1', '25.09.1ubi', '25.13.1-a', 'ubi-25.09.1', '', null])
    assert.equal(versionInTag(tag), null);
  assert.ok(isOlderTag('25.09.1', 'v25.10.1-ubi'));
});
