import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { unifiedDiff } from './unified-diff.ts';

describe('a unified diff', () => {
  test('of equal texts is empty', () => {
    assert.equal(unifiedDiff('a\nb\n', 'a\nb\n', 'x.yaml'), '');
  });

  test('shows changes with three lines around them', () => {
    const before = 'a\nb\nc\nd\ne\nf\ng\n';
    const after = 'a\nb\nc\nd\nE\nf\ng\n';
    const expected = '--- a/x.yaml\n+++ b/x.yaml\n@@ -2,6 +2,6 @@\n b\n c\n d\n-e\n+E\n f\n g\n';
    assert.equal(unifiedDiff(before, after, 'x.yaml'), expected);
  });

  test('keeps changes far apart in hunks of their own', () => {
    const rows = Array.from({ length: 30 }, (_, i) => `${i}\n`);
    const after = rows.with(2, 'x\n').with(25, 'y\n').join('');
    assert.equal(unifiedDiff(rows.join(''), after, 'f').match(/^@@/gm)?.length, 2);
  });

  test('says where the line end at the end of the file is missing', () => {
    assert.equal(
      unifiedDiff('a', 'a\n', 'f'),
      '--- a/f\n+++ b/f\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n',
    );
    assert.equal(unifiedDiff('', 'a\n', 'f'), '--- a/f\n+++ b/f\n@@ -0,0 +1,1 @@\n+a\n');
  });

  test('leads from the first text to the second, whatever they are', () => {
    const text = fc.array(fc.constantFrom('a\n', 'b\n', 'c\n', 'd\n'), { maxLength: 25 }).map((rows) => rows.join(''));
    fc.assert(
      fc.property(text, text, (before, after) => assert.equal(patched(before, unifiedDiff(before, after, 'f')), after)),
      {
        numRuns: 300,
        seed: 7,
      },
    );
  });

  test('takes out and puts in no line more than needed', () => {
    const diff = unifiedDiff('a\nb\nc\na\nb\nb\na\n', 'c\nb\na\nb\na\nc\n', 'f');
    assert.equal(diff.split('\n').filter((row) => /^[-+](?![-+])/.test(row)).length, 5);
  });
});

/** Applies a diff the way `patch` does, line numbers included. */
function patched(before: string, diff: string): string {
  if (diff === '') return before;
  const rows = before.split('\n').slice(0, -1);
  const result: string[] = [];
  let at = 0;
  for (const row of diff.split('\n').slice(2, -1)) {
    const start = /^@@ -(\d+),(\d+) /.exec(row);
    if (start) {
      const upTo = Number(start[1]) - (start[2] === '0' ? 0 : 1);
      while (at < upTo) result.push(rows[at++] ?? '');
    } else if (row.startsWith('+')) result.push(row.slice(1));
    else {
      assert.equal(rows[at], row.slice(1), 'the diff fits the text');
      if (row.startsWith(' ')) result.push(rows[at] ?? '');
      at++;
    }
  }
  return [...result, ...rows.slice(at)].map((row) => `${row}\n`).join('');
}
