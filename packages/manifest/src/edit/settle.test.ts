import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem } from '../finding.ts';
import { EditableText } from './editable-text.ts';
import { settle } from './settle.ts';
import { wholeFile } from './text-part.ts';

/** A rule that wants one word for another, and counts how often it was asked. */
function rule(from: string, to: string, counted: { asked: number }) {
  return (source: EditableText): Problem[] => {
    counted.asked++;
    const start = source.text.indexOf(from);
    if (start === -1) return [];
    const edits = [{ part: wholeFile, start, end: start + from.length, text: to }];
    const at = { part: wholeFile, offset: start };
    return [
      { code: 'MANAGER_OLD', at, message: from, remedy: to, repair: () => ({ what: `${from} to ${to}`, edits }) },
    ];
  };
}

test('a stage of a hundred rules is looked at as often as a stage of one', () => {
  for (const size of [1, 100]) {
    const words = Array.from({ length: size }, (_, index) => `<${index}>`);
    const source = new EditableText(words.join('  '));
    const counted = { asked: 0 };
    const rules = words.map((word, index) => rule(word, `[${index}]`, counted));
    const applied = settle({ source, parts: [] }, () => source, [{ rules }]);
    assert.equal(applied.length, size);
    assert.equal(source.text, words.map((_, index) => `[${index}]`).join('  '));
    assert.equal(counted.asked / size, 3, 'to find, to see that nothing is left, and once more in the last round');
  }
});

test('repairs side by side wait for each other, unless the stage has them in order', () => {
  for (const ordered of [false, true]) {
    const source = new EditableText('<a><b>');
    const counted = { asked: 0 };
    const rules = [rule('<a>', 'A', counted), rule('<b>', 'B', counted)];
    settle({ source, parts: [] }, () => source, [{ rules, ordered }]);
    assert.equal(source.text, 'AB');
    assert.equal(counted.asked, ordered ? 6 : 8);
  }
});

test('repairs that undo each other end in a refusal', () => {
  const source = new EditableText('<a>');
  const counted = { asked: 0 };
  const rules = [rule('<a>', '<b>', counted), rule('<b>', '<a>', counted)];
  assert.throws(() => settle({ source, parts: [] }, () => source, [{ rules }]), /its repairs undo each other/);
});
