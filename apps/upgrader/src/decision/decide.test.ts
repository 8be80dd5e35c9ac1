import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImagePolicy } from '../config/upgrader-config.ts';
import { decide } from './decide.ts';

const POLICY: ImagePolicy = {
  allowedRepositories: null,
  requireDigest: false,
  acceptOlder: true,
  registryMirror: null,
};
const CURRENT = 'harness/delegate:25.08.86600';
const DIGEST = `sha256:${'ab'.repeat(32)}`;

/** What is done about an answer: the image that is set, or the action. */
function outcome(
  imageTag: string,
  policy: Partial<ImagePolicy> = {},
  allowOlder?: boolean,
  current = CURRENT,
  currentVersion?: string,
): string {
  const answer = {
    ...{ imageTag, shouldUpgrade: true },
    ...(allowOlder !== undefined && { allowOlder }),
    ...(currentVersion !== undefined && { currentVersion }),
  };
  const decision = decide(current, answer, { ...POLICY, ...policy });
  return decision.action === 'set' ? decision.image : decision.action;
}

test('only the tag may change unless repositories are named', () => {
  assert.equal(outcome('harness/delegate:25.09.1'), 'harness/delegate:25.09.1');
  assert.equal(outcome('docker.io/harness/delegate:25.09.1'), 'docker.io/harness/delegate:25.09.1');
  for (const other of [
    'evil/delegate:25.09.1',
    'harness/delegate-x:25.09.1',
    'evil.example.com/harness/delegate:25.09.1',
    'harness/delegate/x:25.09.1',
    'delegate:25.09.1',
  ]) {
    assert.equal(outcome(other), 'refuse', other);
  }
});

test('a named repository is itself, and one with /* what is below it', () => {
  const exact = { allowedRepositories: ['us-docker.pkg.dev/p/harness/delegate'] };
  assert.equal(
    outcome('us-docker.pkg.dev/p/harness/delegate:25.09.1', exact),
    'us-docker.pkg.dev/p/harness/delegate:25.09.1',
  );
  assert.equal(outcome('us-docker.pkg.dev/p/harness/delegate2:25.09.1', exact), 'refuse');
  assert.equal(outcome('harness/delegate:25.09.1', exact), 'refuse', 'the list is the whole list');
  const below = { allowedRepositories: ['harness/*'] };
  assert.equal(outcome('harness/x/y:25.09.1', below), 'harness/x/y:25.09.1');
  assert.equal(outcome('harnessevil/x:25.09.1', below), 'refuse');
  assert.equal(outcome('harness.evil.com/x:25.09.1', below), 'refuse');
});

test('what is no image reference is refused, and shown without its line breaks', () => {
  for (const text of ['', 'a b', 'harness/delegate:1\n- evil', 'harness/delegate:$(id)', `x@${DIGEST}@${DIGEST}`]) {
    const decision = decide(CURRENT, { imageTag: text, shouldUpgrade: true }, POLICY);
    assert.equal(decision.action, 'refuse', JSON.stringify(text));
    assert.doesNotMatch(decision.why, /\n/);
  }
  assert.equal(outcome('harness/delegate'), 'refuse', 'no tag');
});

test('an older version is taken only when the manager says that older is meant, and this side does not forbid it', () => {
  const older = 'harness/delegate:25.07.1';
  assert.equal(outcome(older), 'refuse');
  assert.equal(outcome(older, {}, true), older);
  assert.equal(outcome(older, { acceptOlder: false }, true), 'refuse');
  assert.equal(outcome('harness/delegate:latest'), 'refuse', 'nobody knows how old that is');
  assert.equal(outcome('harness/delegate:latest', {}, true), 'harness/delegate:latest');
  assert.equal(outcome('harness/delegate:latest', { acceptOlder: false }, true), 'refuse');
  assert.equal(outcome('harness/delegate:25.09.1', { acceptOlder: false }, true), 'harness/delegate:25.09.1');
});

test('an image without a version has the one that its delegate reports, and without one it is left', () => {
  const image = 'harness/delegate:25.09.1';
  for (const current of ['harness/delegate:latest', 'harness/delegate', `harness/delegate:latest@${DIGEST}`]) {
    assert.equal(outcome(image, {}, undefined, current), 'refuse', 'nobody knows how old it is');
    assert.equal(outcome(image, {}, undefined, current, '25.10.1'), 'refuse', 'newer');
    assert.equal(outcome(image, {}, undefined, current, '25.08.1'), image);
    assert.equal(outcome(image, {}, true, current), image, 'older is meant');
    assert.equal(outcome(image, { acceptOlder: false }, true, current), 'refuse');
  }
  for (const current of ['v25.10.1', '25.10.1-ubi', 'v25.10.1.minimal-2'].map((tag) => `harness/delegate:${tag}`)) {
    assert.equal(outcome(image, {}, undefined, current, '25.08.1'), 'refuse', current);
    assert.equal(outcome('harness/delegate:25.11.1', {}, undefined, current), 'harness/delegate:25.11.1');
  }
  const pinned = `harness/delegate@${DIGEST}`;
  assert.equal(outcome(image, {}, undefined, pinned, '25.08.1'), 'refuse', 'the digest would be taken away');
  assert.equal(outcome(image, {}, true, pinned, '25.08.1'), image);
  assert.equal(
    outcome(`${image}@${DIGEST.replaceAll('ab', 'cd')}`, {}, undefined, pinned, '25.08.1').slice(0, 24),
    image,
  );
});

test('a digest is kept, and can be demanded', () => {
  const pinned = `harness/delegate:25.09.1@${DIGEST}`;
  assert.equal(outcome(pinned, { requireDigest: true }), pinned);
  assert.equal(outcome('harness/delegate:25.09.1', { requireDigest: true }), 'refuse');
  assert.equal(outcome(pinned, {}, undefined, pinned), 'keep');
  assert.equal(
    outcome('harness/delegate:25.09.1', { requireDigest: true }, undefined, pinned),
    'keep',
    'a pin is not taken away',
  );
});

test('the mirror stands in front of every image, and its own name does not count as the repository', () => {
  const mirrored = { registryMirror: 'mirror.example.com:5000/hub' };
  const image = 'mirror.example.com:5000/hub/harness/delegate:25.09.1';
  assert.equal(outcome('harness/delegate:25.09.1', mirrored), image);
  assert.equal(outcome('harness/delegate:25.09.1', mirrored, undefined, image), 'keep');
  assert.equal(outcome('harness/delegate:25.09.2', mirrored, undefined, image), image.replace('09.1', '09.2'));
  assert.equal(outcome('evil/delegate:25.09.2', mirrored, undefined, image), 'refuse');
});

test('an image that is published with its registry is itself through the mirror, also at the next version', () => {
  const mirrored = { registryMirror: 'mirror:5000' };
  const published = 'us-docker.pkg.dev/gar/harness/delegate:25.09.1';
  const image = 'mirror:5000/gar/harness/delegate:25.09.1';
  const next = published.replace('09.1', '09.2');
  assert.equal(outcome(published, mirrored, undefined, published.replace('09.1', '08.1')), image, 'the first time');
  assert.equal(outcome(published, mirrored, undefined, image), 'keep');
  assert.equal(outcome(published, mirrored, undefined, `${image}@${DIGEST}`), 'keep', 'pinned');
  assert.equal(outcome(next, mirrored, undefined, image), image.replace('09.1', '09.2'));
  const listed = { ...mirrored, allowedRepositories: ['us-docker.pkg.dev/gar/harness/delegate'] };
  assert.equal(outcome(next, listed, undefined, image), image.replace('09.1', '09.2'));
  assert.equal(
    outcome('gar/harness/delegate:25.09.2', listed, undefined, image),
    'refuse',
    'the list is the whole list',
  );
  assert.equal(outcome('us-docker.pkg.dev/evil/delegate:25.09.2', mirrored, undefined, image), 'refuse');
});

test('nothing is done when the manager wants nothing, whatever else it says', () => {
  const told = decide(CURRENT, { imageTag: CURRENT, shouldUpgrade: false, reason: 'it stays:\nso' }, POLICY);
  assert.deepEqual(told, { action: 'keep', why: 'it stays:?so' });
  assert.equal(decide(CURRENT, { imageTag: 'evil/x:1', shouldUpgrade: false }, POLICY).action, 'keep');
});
