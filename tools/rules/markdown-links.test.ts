import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { markdownLinks } from './markdown-links.ts';

const files = [
  {
    path: 'docs/b.md',
    text: '# First page\n\n## Keys, and `more`\n\n```sh\n# no heading\n```\n\n## Keys, and `more`\n',
  },
  { path: 'packages/trust/src/a.test.ts', text: "it('refuses what isn\\'t signed', f);" },
];
const found = (text: string) =>
  [...markdownLinks([...files, { path: 'docs/a.md', text }])].map((violation) => violation.found);

describe('the documents', () => {
  it('link to files and folders that exist', () => {
    assert.deepEqual(found('[b](b.md) [c](../packages/trust) [d](../packages/trust/)\n\n[e]: ./b.md\n'), []);
    assert.deepEqual(found('[b](c.md) [d](../packages/nothing)\n\n[e]: d.md\n'), [
      'c.md',
      '../packages/nothing',
      'd.md',
    ]);
    assert.deepEqual(found('[x](https://example.com/none.md) [y](mailto:a@example.com)'), []);
  });

  it('link to headings that exist', () => {
    assert.deepEqual(
      found('# Here\n\n[1](#here) [2](b.md#first-page) [3](b.md#keys-and-more) [4](b.md#keys-and-more-1)'),
      [],
    );
    assert.deepEqual(found('[1](#there) [2](b.md#no-heading)'), ['#there', 'b.md#no-heading']);
  });

  it('name files that exist', () => {
    assert.deepEqual(found('`packages/trust/src/a.test.ts` and `packages/trust`'), []);
    assert.deepEqual(found('`packages/trust/src/b.ts`'), ['`packages/trust/src/b.ts`']);
  });

  it('name tests that exist', () => {
    assert.deepEqual(found('`packages/trust/src/a.test.ts` "refuses what isn\'t signed"'), []);
    assert.equal(found('`packages/trust/src/a.test.ts` "refuses everything"').length, 1);
  });

  it('may show anything in a fence', () => {
    assert.deepEqual(found('```\n[b](none.md) `packages/none`\n```\n'), []);
  });
});
