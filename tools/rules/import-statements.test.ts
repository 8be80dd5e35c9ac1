import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { importStatements } from './import-statements.ts';

const specifiers = (text: string) => importStatements({ text }).map(({ specifier }) => specifier);
const typeOnly = (text: string) => importStatements({ text }).map((statement) => statement.typeOnly);

describe('the imports of a file', () => {
  it('are found in every form of a static import', () => {
    const text = [
      "import a from 'a';",
      "import * as b from 'b';",
      "import c, { d as e } from 'c';",
      "import 'f';",
      "import g from './g.json' with { type: 'json' };",
      'import h from "h";',
    ];
    assert.deepEqual(specifiers(text.join('\n')), ['a', 'b', 'c', 'f', './g.json', 'h']);
  });

  it('may go over several lines and hold comments', () => {
    const text = "import {\n  a, // what a's for; from 'nowhere'\n  type B,\n} from 'x';\nimport y from 'y';\n";
    assert.deepEqual(importStatements({ text }), [
      { specifier: 'x', typeOnly: false, line: 1 },
      { specifier: 'y', typeOnly: false, line: 5 },
    ]);
  });

  it('are type-only when the whole statement is: a module imported for one inline type still loads', () => {
    assert.deepEqual(typeOnly("import type { A } from 'x';\nimport type B from 'x';\nimport type * as C from 'x';"), [
      true,
      true,
      true,
    ]);
    assert.deepEqual(typeOnly("import { type A } from 'x';\nimport type from 'x';\nexport type { D } from 'x';"), [
      false,
      false,
      true,
    ]);
  });

  it('include what is exported from another module, and no export of its own', () => {
    const text =
      "export * from 'a';\nexport * as b from 'b';\nexport { c } from 'c';\nexport const d = 'd';\nexport { e };\nf('f');";
    assert.deepEqual(specifiers(text), ['a', 'b', 'c']);
  });

  it('include dynamic ones; one that is computed has no name', () => {
    assert.deepEqual(specifiers("const { a } = await import('a');"), ['a']);
    assert.deepEqual(specifiers('await import(`b`); require("c"); import.meta.resolve(\'d\');'), ['b', 'c', 'd']);
    assert.deepEqual(specifiers('await import(`./$' + '{name}.ts`); await import(name);'), [null, null]);
    assert.deepEqual(specifiers("await import('./' + name);"), [null]);
  });

  it('are not taken from comments, strings and names that look alike', () => {
    const text =
      "// import a from 'a';\n/*\nimport b from 'b';\n*/\nconst c = `\nimport d from 'd';\n`;\nthis.import('e');\nrequired('f');";
    assert.deepEqual(specifiers(text), []);
  });
});
