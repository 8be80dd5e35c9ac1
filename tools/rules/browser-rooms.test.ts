import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { browserRooms } from './browser-rooms.ts';

const found = (files: Record<string, string>) =>
  [...browserRooms(Object.entries(files).map(([path, text]) => ({ path, text })))].map(
    ({ path, found: what }) => `${path} ${what}`,
  );

const ENTRY = 'packages/trust/src/browser.ts';

describe('what runs in a browser', () => {
  it('reaches no module of Node, however deep', () => {
    assert.deepEqual(
      found({
        [ENTRY]: "export * from './a.ts';",
        'packages/trust/src/a.ts': "import { b } from './deep/b.ts';",
        'packages/trust/src/deep/b.ts': "import '../a.ts';\nimport { isIP } from 'node:net';\nawait import('fs');",
      }),
      ['packages/trust/src/deep/b.ts node:net', 'packages/trust/src/deep/b.ts fs'],
    );
  });

  it('uses no global of Node', () => {
    assert.deepEqual(found({ [ENTRY]: "const a = Buffer.from('x'); process.exit(a);" }), [
      `${ENTRY} Buffer`,
      `${ENTRY} process`,
    ]);
    assert.deepEqual(found({ [ENTRY]: "const a = { process: 1 }; a.process; 'Buffer'; // process" }), []);
  });

  it('may import types, which are gone when it runs', () => {
    assert.deepEqual(found({ [ENTRY]: "import type { X509Certificate } from 'node:crypto';" }), []);
    assert.deepEqual(found({ [ENTRY]: "import { type X509Certificate } from 'node:crypto';" }), [
      `${ENTRY} node:crypto`,
    ]);
  });

  it('says nothing about files that no browser entry reaches', () => {
    assert.deepEqual(found({ [ENTRY]: '', 'packages/trust/src/index.ts': "import 'node:tls';" }), []);
  });

  it('begins at protocol and manifest as well', () => {
    assert.deepEqual(found({ 'packages/protocol/src/index.ts': "import 'node:fs';" }).length, 1);
    assert.deepEqual(found({ 'packages/protocol/src/schemas/index.ts': "import 'node:fs';" }).length, 1);
    assert.deepEqual(found({ 'packages/manifest/src/index.ts': "import 'node:fs';" }).length, 1);
  });
});
