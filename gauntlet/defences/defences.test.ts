import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CASES } from '../cases/index.ts';
import { DEFENCES } from './defences.ts';

const root = join(import.meta.dirname, '..', '..');

for (const { name, edits, cases } of DEFENCES) {
  test(`the defence ${name} stands where it can be taken out, and there are cases for it`, () => {
    for (const { file, text, instead } of edits) {
      assert.equal(readFileSync(join(root, file), 'utf8').split(text).length, 2, `${file}: ${text}`);
      assert.notEqual(text, instead);
    }
    for (const beginning of cases)
      assert.ok(
        CASES.some(({ id }) => id.startsWith(beginning)),
        beginning,
      );
  });
}
