import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { looseEnds } from './loose-ends.ts';

const count = (text: string, path = 'apps/a/src/a.ts') => [...looseEnds([{ path, text }])].length;

// Put together here, so that the rule does not find this file.
const later = 'TO' + 'DO';

describe('a loose end', () => {
  it('is a note to do something later, in any file', () => {
    for (const text of [`// ${later}: mend`, `# FIX${'ME'}`, `good enough for${' '}now`, `// XX${'X'}`]) {
      assert.equal(count(text), 1, text);
      assert.equal(count(text, 'docs/a.md'), 1, text);
    }
    assert.equal(count('// foremost known, xxxxx, todos'), 0);
  });

  it('is the type any, wherever a type can stand', () => {
    for (const text of [
      'let a: any;',
      'b as any',
      'f<any>()',
      'Map<string, any>',
      'let c: any[] = [];',
      'type D = string | any;',
      'type E = any;',
      'f = (a: any) => 1',
      'type G = () => any;',
      'interface A<B extends any> {}',
    ]) {
      assert.equal(count(text), 1, text);
    }
  });

  it('is not the word any', () => {
    assert.equal(
      count("// any\nconst a = 'x: any';\nAbortSignal.any([a]);\nasync any(): Promise<void> {}\nf({ any: 1 }, any.b);"),
      0,
    );
    assert.equal(count('Any value: any', 'docs/a.md'), 0);
  });

  it('is a compiler error that is silenced for good', () => {
    assert.equal(count(`// @ts-${'ignore'}`), 1);
    assert.equal(count(`// @ts-${'nocheck'}`), 1);
    assert.equal(count('// @ts-expect-error: not a number'), 0);
  });

  it('is a file of more than 400 lines of code, comments and blank lines not counted', () => {
    assert.equal(count('a();\n'.repeat(400)), 0);
    assert.equal(count('a();\n'.repeat(401)), 1);
    assert.equal(count('a();\n\n// b\n'.repeat(400)), 0);
    assert.equal(count('line\n'.repeat(1000), 'docs/a.md'), 0);
  });
});
