import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { importFloors } from './import-floors.ts';

function why(path: string, ...imports: string[]): string[] {
  const text = imports.map((name) => `import { x } from '${name}';`).join('\n');
  return [...importFloors([{ path, text }])].map((violation) => violation.why);
}

const allowed = (path: string, ...imports: string[]) => assert.deepEqual(why(path, ...imports), []);

function refused(path: string, name: string, reason: RegExp) {
  const found = why(path, name);
  assert.equal(found.length, 1, `${path} imports ${name}`);
  assert.match(found[0] ?? '', reason);
}

describe('the floors', () => {
  it('floor 1 stands on nothing', () => {
    allowed('packages/trust/src/a.ts', './b.ts', 'node:crypto', '@peculiar/x509');
    refused('packages/trust/src/a.ts', '@sallyport/protocol', /floor 1/);
    refused('packages/protocol/src/a.ts', '@sallyport/trust', /floor 1/);
    refused('packages/manifest/src/a.ts', '@sallyport/client', /floor 1/);
  });

  it('the client stands on floor 1 only', () => {
    allowed('packages/client/src/a.ts', '@sallyport/protocol', '@sallyport/trust');
    refused('packages/client/src/a.ts', '@sallyport/manager', /customers/);
  });

  it('apps stand on packages and never on each other, the command line excepted', () => {
    allowed('apps/manager/src/a.ts', '@sallyport/trust', '@sallyport/client');
    refused('apps/manager/src/a.ts', '@sallyport/delegate', /apps that import each other/);
    refused('apps/delegate/src/a.ts', '@sallyport/cli', /apps that import each other/);
    refused('apps/console/src/a.ts', '@sallyport/client', /browser/);
    allowed('apps/cli/src/a.ts', '@sallyport/manager', '@sallyport/delegate', '@sallyport/client');
  });

  it('a browser entry of another package counts as that package', () => {
    allowed('apps/console/src/a.ts', '@sallyport/trust/browser');
    refused('packages/protocol/src/a.ts', '@sallyport/trust/browser', /floor 1/);
  });

  it('only tests may use dev-env', () => {
    refused('apps/manager/src/a.ts', '@sallyport/dev-env', /Only tests/);
    refused('apps/cli/src/a.ts', '@sallyport/dev-env', /Only tests/);
    allowed('apps/manager/src/a.test.ts', '@sallyport/dev-env');
    allowed('apps/manager/test/a.ts', '@sallyport/dev-env');
    allowed('tests/a.test.ts', '@sallyport/dev-env', '@sallyport/manager', '@sallyport/cli');
    allowed('bench/a.ts', '@sallyport/dev-env');
  });

  it('a relative import stays in its package', () => {
    allowed('packages/trust/src/a/b.ts', '../c.ts');
    refused('packages/client/src/a.ts', '../../trust/src/pem.ts', /stay in its package/);
    refused('apps/cli/src/a.ts', '../../../tools/run.mjs', /stay in its package/);
  });

  it('product code does not import tests', () => {
    refused('packages/trust/src/a.ts', './a.test.ts', /must not import tests/);
    refused('packages/trust/src/a.ts', '../test/certificate-maker.ts', /must not import tests/);
    allowed('packages/trust/src/a.test.ts', '../test/certificate-maker.ts');
    allowed('packages/dev-env/src/a.ts', './b.ts');
  });

  it('an import that is computed is refused in product code', () => {
    const violations = (path: string) => [...importFloors([{ path, text: 'await import(name);' }])];
    assert.match(violations('apps/manager/src/a.ts')[0]?.why ?? '', /computed import/);
    assert.deepEqual(violations('apps/manager/src/a.test.ts'), []);
  });

  it('types count too, and so do exports and dynamic imports', () => {
    const text =
      "import type { A } from '@sallyport/client';\nexport * from '@sallyport/client';\nawait import('@sallyport/client');";
    assert.deepEqual(
      [...importFloors([{ path: 'packages/trust/src/a.ts', text }])].map(({ line }) => line),
      [1, 2, 3],
    );
  });
});
