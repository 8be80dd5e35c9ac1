import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { daysFromNow, makeCa, makeClient } from '../test/certificate-maker.ts';
import { CaBundleError, previewCaBundle } from './browser.ts';
import { readCaBundle } from './ca-bundle.ts';

/** Every file that the entry reaches, with what it imports. */
function imports(entry: string, seen = new Map<string, readonly string[]>()): ReadonlyMap<string, readonly string[]> {
  if (seen.has(entry)) return seen;
  const found = [...readFileSync(entry, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
    ([, name = '']) => name,
  );
  seen.set(entry, found);
  for (const name of found) if (name.startsWith('.')) imports(join(dirname(entry), name), seen);
  return seen;
}

describe('the browser entry', () => {
  it('reaches nothing but files of this package, so that it runs in a page', () => {
    for (const [file, names] of imports(join(import.meta.dirname, 'browser.ts'))) {
      const foreign = names.filter((name) => !name.startsWith('.'));
      assert.deepEqual(foreign, [], `${relative(import.meta.dirname, file)} imports what a page does not have`);
    }
  });

  it('previews a bundle as the server will judge it', async () => {
    const now = new Date();
    const root = await makeCa({ subject: 'Root', notAfter: daysFromNow(5) });
    assert.deepEqual(await previewCaBundle(root.pem, now), readCaBundle(root.pem, now));
    const leaf = await makeClient({ subject: 'leaf', issuer: root });
    for (const pem of [leaf.pem, root.keyPem, '', root.pem.replace(/\nMII.{8}/, '\nMIIAAAAAAAA')]) {
      const expected = (() => {
        try {
          readCaBundle(pem, now);
        } catch (error) {
          if (error instanceof CaBundleError) return error.problem;
        }
        return 'NONE';
      })();
      await assert.rejects(
        previewCaBundle(pem, now),
        (error) => error instanceof CaBundleError && error.problem === expected,
      );
    }
  });
});
