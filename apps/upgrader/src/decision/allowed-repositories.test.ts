import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImageReference } from '@sallyport/protocol';
import { isListed, parseAllowedRepository } from './allowed-repositories.ts';

const allows = (entry: string, image: string) => isListed(parseImageReference(image) ?? assert.fail(image), [entry]);

test('a registry with /* is everything in it, and nothing of Docker Hub or of another registry', () => {
  for (const registry of ['registry.example.com', 'mirror:5000', 'localhost', 'localhost:5000']) {
    assert.ok(allows(`${registry}/*`, `${registry}/harness/delegate:1`), registry);
    assert.ok(allows(`${registry}/*`, `${registry}/delegate:1`), registry);
    assert.ok(!allows(`${registry}/*`, 'harness/delegate:1'));
    assert.ok(!allows(`${registry}/*`, `evil.${registry}/delegate:1`));
    assert.ok(!allows(`${registry}/*`, `evil.example.com/${registry.replace(/:.*/, '')}/delegate:1`));
  }
  assert.ok(allows('docker.io/*', 'ubuntu:1') && allows('index.docker.io/*', 'harness/delegate:1'));
  assert.ok(
    allows('harness/*', 'docker.io/harness/delegate:1') && !allows('harness/*', 'harness.example.com/delegate:1'),
  );
  assert.ok(allows('registry.example.com/a/*', 'registry.example.com/a/b:1'));
  assert.ok(!allows('registry.example.com/a/*', 'registry.example.com/ab/c:1'));
});

test('a registry alone and what is no repository are no entries', () => {
  for (const entry of [
    'registry.example.com',
    'localhost',
    'a:1',
    'a:b/*',
    'r:0/*',
    '*',
    '/*',
    'a/*/b',
    'a b',
    '-r.example.com/*',
    '',
  ])
    assert.equal(parseAllowedRepository(entry), null, entry);
});
