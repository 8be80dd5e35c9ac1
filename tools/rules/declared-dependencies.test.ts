import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declaredDependencies, unusedDependencies } from './declared-dependencies.ts';

const manifests = [
  { path: 'package.json', text: JSON.stringify({ name: 'all', devDependencies: { 'fast-check': '1' } }) },
  {
    path: 'packages/client/package.json',
    text: JSON.stringify({ name: '@sallyport/client', dependencies: { undici: '8', '@sallyport/protocol': '0.1.0' } }),
  },
  { path: 'packages/trust/package.json', text: JSON.stringify({ name: '@sallyport/trust' }) },
];

const undeclared = (path: string, ...imports: string[]) =>
  [
    ...declaredDependencies([
      ...manifests,
      { path, text: imports.map((name) => `import x from '${name}';`).join('\n') },
    ]),
  ].map(({ path: lacking, found }) => `${lacking} ${/^lacks (\S+),/.exec(found)?.[1]}`);

describe('imported packages', () => {
  it('are declared where they are imported', () => {
    assert.deepEqual(undeclared('packages/client/src/a.ts', 'undici', 'node:net', 'fs', './b.ts'), []);
    assert.deepEqual(undeclared('packages/client/src/a.ts', 'ws', 'ws/lib/x.js'), ['packages/client/package.json ws']);
    assert.deepEqual(undeclared('packages/trust/src/a.ts', 'undici'), ['packages/trust/package.json undici']);
  });

  it('include our own', () => {
    assert.deepEqual(undeclared('packages/client/src/a.ts', '@sallyport/protocol', '@sallyport/trust/browser'), [
      'packages/client/package.json @sallyport/trust',
    ]);
  });

  it('of tests may be declared at the root, those of the product may not', () => {
    assert.deepEqual(undeclared('packages/client/src/a.test.ts', 'fast-check', '@sallyport/trust'), []);
    assert.deepEqual(undeclared('packages/client/src/a.ts', 'fast-check'), ['packages/client/package.json fast-check']);
    assert.deepEqual(undeclared('tests/a.test.ts', 'fast-check', 'playwright-core'), ['package.json playwright-core']);
  });
});

describe('declared packages', () => {
  it('are imported by their package, types included', () => {
    const unused = (text: string) =>
      [...unusedDependencies([...manifests, { path: 'packages/client/src/a.ts', text }])].map(({ found }) => found);
    assert.deepEqual(unused("import 'undici';\nimport type { A } from '@sallyport/protocol';"), []);
    assert.deepEqual(unused("import 'undici/types';\n// @sallyport/protocol"), ['@sallyport/protocol']);
  });
});
