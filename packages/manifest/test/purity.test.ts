import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const source = join(import.meta.dirname, '..', 'src');

test('the library runs in a browser: it imports yaml and its own files, and touches nothing else', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  );
  assert(files.length > 40);
  for (const file of files) {
    const text = readFileSync(join(source, file), 'utf8');
    const imported = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
    const foreign = imported.filter((name) => name !== 'yaml' && !name.startsWith('.'));
    assert.deepEqual(foreign, [], `${file} imports what a browser or floor 1 does not have`);
    assert.doesNotMatch(text, /\b(?:process|Buffer|require)\s*[.(]/, `${file} uses a global of Node`);
  }
});
