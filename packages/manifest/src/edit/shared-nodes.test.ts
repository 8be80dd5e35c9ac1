import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EditableText } from './editable-text.ts';
import { separate } from './shared-nodes.ts';
import { type PartEdit, placeEdits } from './text-part.ts';
import { YamlCursor } from './yaml-cursor.ts';
import { YamlFile } from './yaml-file.ts';

/** Applies one edit to the first document of a text and gives the text back. */
function edited(text: string, change: (root: YamlCursor) => PartEdit | readonly PartEdit[]): string {
  const source = new EditableText(text);
  const root = rootOf(new YamlFile(source));
  source.apply(placeEdits([change(root)].flat()));
  return source.text;
}

function rootOf(file: YamlFile): YamlCursor {
  const root = file.parts.map((part) => YamlCursor.root(part)).find((cursor) => cursor !== undefined);
  assert(root, 'the text holds a document');
  return root;
}

function place(root: YamlCursor, ...path: (string | number)[]): YamlCursor {
  let cursor: YamlCursor | undefined = root;
  for (const step of path) cursor = typeof step === 'number' ? cursor?.items()[step] : cursor?.get(step);
  assert(cursor, `nothing at ${path.join('.')}`);
  return cursor;
}

describe('shared nodes', () => {
  test('an alias is written out at its place', () => {
    const text = 'x: &e\n  - a\n  - b: &n 1\nm:\n  env: *e\n  k: *n\n';
    const after = edited(text, (root) => separate(place(root, 'm', 'env'))?.edits ?? []);
    assert.equal(after, 'x: &e\n  - a\n  - b: &n 1\nm:\n  env:\n    - a\n    - b: 1\n  k: *n\n');
  });

  test('an aliased item keeps its dash', () => {
    const after = edited(
      'x: &e\n    a: 1\n    b: 2\nl:\n- *e\n- c\n',
      (root) => separate(place(root, 'l', 0))?.edits ?? [],
    );
    assert.equal(after, 'x: &e\n    a: 1\n    b: 2\nl:\n- a: 1\n  b: 2\n- c\n');
  });

  test('an anchor moves to the first place that refers to it', () => {
    const after = edited('x: &e\n  - a\ny: *e\nz: *e\n', (root) => separate(place(root, 'x'))?.edits ?? []);
    assert.equal(after, 'x:\n  - a\ny: &e\n  - a\nz: *e\n');
    assert.equal(
      edited('x: &u "a" # c\ny: *u\n', (root) => separate(place(root, 'x'))?.edits ?? []),
      'x: "a" # c\ny: &u "a"\n',
    );
    assert.equal(
      edited('x: &u\n  a: 1\ny:\n  <<: *u\n', (root) => separate(place(root, 'x'))?.edits ?? []),
      'x:\n  a: 1\ny:\n  <<: &u {a: 1}\n',
    );
  });

  test('a merged key is written into the map itself', () => {
    const after = edited(
      'x: &b\n  env:\n    - a\nm:\n  <<: *b\n  k: 1\n',
      (root) => separate(place(root, 'm', 'env'))?.edits ?? [],
    );
    assert.equal(after, 'x: &b\n  env:\n    - a\nm:\n  <<: *b\n  k: 1\n  env:\n    - a\n');
  });

  test('text of its own is left alone', () => {
    assert.equal(
      edited('x: &e [a]\ny: 1\n', (root) => separate(place(root, 'x'))?.edits ?? []),
      'x: &e [a]\ny: 1\n',
    );
  });
});

describe('documents of a file', () => {
  const parts = (text: string) => new YamlFile(new EditableText(text)).parts.map((part) => part.text);

  test('end at markers, and comments before a marker belong to the document behind it', () => {
    assert.deepEqual(parts('# c\n---\na: 1\n---\nb: |\n  ---\n  x\n'), ['# c\n---\na: 1\n', '---\nb: |\n  ---\n  x\n']);
    assert.deepEqual(parts('a: 1\n...\nb: 2\n'), ['a: 1\n...\n', 'b: 2\n']);
    assert.deepEqual(parts('%YAML 1.1\n---\na: 1\r\n---\r\nb: 2'), ['%YAML 1.1\n---\na: 1\r\n', '---\r\nb: 2']);
  });

  test('report an error at its offset, aliases without anchor and alias bombs too', () => {
    const fault = (text: string) => new YamlFile(new EditableText(text)).parts[0]?.fault;
    assert.equal(fault('a:\n  - 1\n b: 2\n')?.offset, 9);
    assert.match(fault('a: *b\n')?.reason ?? '', /\*b has no anchor/);
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      ...'bcdefg'.split('').map((n, i) => `${n}: &${n} [${`*${'abcdef'[i]},`.repeat(9)}1]`),
    ];
    assert.match(fault(bomb.join('\n'))?.reason ?? '', /alias/i);
  });
});

test('positions after edits are those of the original', () => {
  const source = new EditableText('a\nb\nc\n');
  source.apply([{ start: 2, end: 2, text: 'new\nnew\n' }]);
  source.apply([{ start: 0, end: 2, text: '' }]);
  assert.equal(source.text, 'new\nnew\nb\nc\n');
  assert.deepEqual(source.originalPosition(source.text.indexOf('c')), { line: 3, column: 1 });
  assert.deepEqual(source.originalPosition(0), { line: 2, column: 1 });
});
