import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatImageReference,
  isWhatIsWanted,
  isWhatIsWantedOrMirrored,
  parseImageReference,
  repositoryOf,
} from './image-reference.ts';

const DIGEST = `sha256:${'0a'.repeat(32)}`;

test('a reference is taken apart and written again as it was', () => {
  const parts = (text: string) => {
    const image = parseImageReference(text);
    assert.ok(image !== null, text);
    assert.equal(formatImageReference(image), text);
    return [image.registry, image.path, image.tag, image.digest];
  };
  assert.deepEqual(parts('harness/delegate:25.09.86700'), [null, 'harness/delegate', '25.09.86700', null]);
  assert.deepEqual(parts('delegate'), [null, 'delegate', null, null]);
  assert.deepEqual(parts('localhost/a:1'), ['localhost', 'a', '1', null]);
  assert.deepEqual(parts('r.example.com:5000/x/delegate'), ['r.example.com:5000', 'x/delegate', null, null]);
  assert.deepEqual(parts(`us-docker.pkg.dev/p/h__d/delegate:25.09.1.minimal@${DIGEST}`), [
    'us-docker.pkg.dev',
    'p/h__d/delegate',
    '25.09.1.minimal',
    DIGEST,
  ]);
});

test('what is no reference is refused', () => {
  for (const text of [
    '',
    ' harness/delegate:1',
    'harness/delegate:1\n',
    'harness/delegate:1\nimage: evil/x',
    'harness/delegate:$(id)',
    'harness/delegate:1;id',
    'harness/delegate:1 --privileged',
    'harness/Delegate:1',
    'harness//delegate:1',
    '../delegate:1',
    'harness/delegate:',
    'harness/delegate:-1',
    'harness/delegate@',
    `harness/delegate@${DIGEST}@${DIGEST}`,
    `evil/x:1@harness/delegate:1@${DIGEST}`,
    `harness/delegate@sha256:${'0A'.repeat(32)}`,
    `harness/delegate@sha256:${'0a'.repeat(31)}`,
    `harness/delegate@md5:${'0a'.repeat(16)}`,
    'user:pass@harness/delegate',
    'https://harness/delegate:1',
    'harness/dеlegate:1',
    'r:65536/delegate:1',
    'r:0/delegate:1',
    '-r.example.com/delegate:1',
    'harness/-delegate:1',
    'harness/delegate/../x:1',
    `${'a'.repeat(256)}:1`,
    `a:${'1'.repeat(129)}`,
  ]) {
    assert.equal(parseImageReference(text), null, JSON.stringify(text));
  }
});

test('two ways to write one repository are the same, and a name that only begins alike is not', () => {
  const repository = (text: string) => repositoryOf(parseImageReference(text) ?? assert.fail(text));
  assert.equal(repository('harness/delegate:1'), 'docker.io/harness/delegate');
  assert.equal(repository('index.docker.io/harness/delegate'), repository('Docker.io/harness/delegate'));
  assert.equal(repository('ubuntu'), repository('docker.io/library/ubuntu'));
  assert.notEqual(repository('harness/delegate'), repository('evil.example.com/harness/delegate'));
  assert.notEqual(repository('harness/delegate'), repository('harness/delegate-evil'));
  const same = (a: string, b: string) =>
    isWhatIsWanted(parseImageReference(a) ?? assert.fail(a), parseImageReference(b) ?? assert.fail(b));
  assert.ok(same('harness/delegate:1', 'docker.io/harness/delegate:1'));
  assert.ok(!same('harness/delegate:1', `harness/delegate:1@${DIGEST}`));
  assert.ok(same(`harness/delegate:1@${DIGEST}`, 'harness/delegate:1'), 'a pin is not taken away');
  assert.ok(!same(`harness/delegate:1@${DIGEST}`, 'harness/delegate:2'));
});

test('an image that comes through a mirror is the published one', () => {
  const published = 'us-docker.pkg.dev/gar/harness/delegate:25.09.1';
  const same = (current: string, wanted = published) =>
    isWhatIsWantedOrMirrored(
      parseImageReference(current) ?? assert.fail(current),
      parseImageReference(wanted) ?? assert.fail(),
    );
  for (const mirrored of [published, 'gar/harness/delegate:25.09.1', 'mirror:5000/gar/harness/delegate:25.09.1'])
    assert.ok(same(mirrored), mirrored);
  assert.ok(same('mirror:5000/hub/gar/harness/delegate:25.09.1'));
  assert.ok(same(`mirror:5000/hub/harness/delegate:25.09.1@${DIGEST}`, 'harness/delegate:25.09.1'));
  for (const other of [
    'gar/harness/delegate:25.09.2',
    'mirror:5000/harness/delegate:25.09.1',
    'mirror:5000/xgar/harness/delegate:25.09.1',
    'evil/gar/harness/delegate:25.09.1',
    `mirror:5000/gar/harness/delegate@${DIGEST}`,
  ])
    assert.ok(!same(other), other);
});
