import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorLedger, type Ledger, withLedgerTable } from './error-ledger.ts';

const ledger: Ledger = {
  TOO_LATE: { status: 401, cause: 'It is past its end.', remedy: 'Make a new one | or wait.' },
  TOO_EARLY: { status: 503, cause: 'It has not begun.', remedy: 'Try again.' },
};
const empty =
  '# Errors\n\n<!-- The table is written by tools/write-errors-doc.ts from the ledger in packages/protocol/src/errors.ts. -->\n<!-- End of the table. -->\n\nMore.\n';
const page = withLedgerTable(empty, ledger);
const raised = { path: 'apps/manager/src/a.ts', text: "f('TOO_LATE'); g({ TOO_EARLY: 1 });" };

const found = (text: string, files = [raised], reserved = {}) =>
  [...errorLedger([{ path: 'docs/errors.md', text }, ...files], ledger, reserved)].map((violation) => violation.found);

describe('the page of errors', () => {
  it('is written from the ledger and keeps the text around the table', () => {
    assert.match(
      page,
      /^# Errors\n\n.*\n\n\| Code [^\n]*\n\|[-|]+\n\| `TOO_LATE` \| 401 \| It is past its end\. \| Make a new one \\\| or wait\. \|\n/,
    );
    assert.match(page, /\n\nMore\.\n$/);
    assert.equal(withLedgerTable(page, ledger), page);
    assert.deepEqual(found(page), []);
  });

  it('may lack no code and know none that is not in the ledger', () => {
    const without = page.replace(/\| `TOO_LATE`.*\n/, '');
    assert.match(found(without).join(), /missing: \| `TOO_LATE`/);
    const more = page.replace('| `TOO_LATE`', '| `TOO_NICE` | 400 | x | y |\n| `TOO_LATE`');
    assert.match(found(more).join(), /not in the ledger: \| `TOO_NICE`/);
  });

  it('gives the status, the cause and the remedy of the ledger', () => {
    for (const [from, to] of [
      ['401', '403'],
      ['past its end', 'over'],
      ['Try again', 'Give up'],
    ] as const) {
      assert.equal(found(page.replace(from, to)).length, 2, from);
    }
  });

  it('cannot lose the place of its table', () => {
    assert.throws(() => found('# Errors\n'), /Put these two lines back/);
  });
});

describe('a code of the ledger', () => {
  it('is raised by the product: tests and comments do not count', () => {
    const files = [
      { path: 'apps/manager/src/a.ts', text: "f('TOO_LATE'); // TOO_EARLY" },
      { path: 'apps/manager/src/a.test.ts', text: "'TOO_EARLY'" },
      { path: 'packages/protocol/src/errors.ts', text: 'TOO_EARLY' },
      { path: 'tools/a.ts', text: "'TOO_EARLY'" },
    ];
    assert.deepEqual(found(page, files), ['TOO_EARLY']);
    assert.deepEqual(found(page, files, { TOO_EARLY: 'known from before' }), []);
  });

  it('that is raised is not reserved', () => {
    assert.deepEqual(found(page, [raised], { TOO_LATE: 'known from before' }), ['TOO_LATE']);
  });
});
