import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { migrate } from '../src/migrate.ts';
import { goldenCases, migrateOptions, operations, outcome } from './golden-cases.ts';

for (const operation of operations) {
  describe(`${operation}, golden case`, () => {
    for (const golden of goldenCases(operation)) {
      test(golden.name, () => {
        const actual = outcome(golden);
        const expected = readdirSync(golden.directory).filter((file) => file.startsWith('expected'));
        assert.deepEqual([...actual.keys()].sort(), expected.sort(), 'the case has the files that the code makes');
        for (const [name, text] of actual) {
          assert.equal(text, readFileSync(join(golden.directory, name), 'utf8'), `${golden.name}/${name}`);
        }
      });
    }
  });
}

describe('every migration of a golden case', () => {
  for (const golden of goldenCases('migrate')) {
    if (readdirSync(golden.directory).includes('expected-error.txt')) continue;
    test(`${golden.name}: parses, and migrating again changes nothing`, () => {
      const options = migrateOptions(golden);
      const { text, form } = migrate(golden.input, options);
      if (!form.endsWith('-command')) {
        for (const document of parseAllDocuments(text))
          assert.deepEqual('errors' in document ? document.errors : [], []);
      }
      const again = migrate(text, options);
      assert.equal(again.text, text);
      assert.deepEqual(again.changes, []);
    });
  }
});
