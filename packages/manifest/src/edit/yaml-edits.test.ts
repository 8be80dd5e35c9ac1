import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EditableText } from './editable-text.ts';
import { nestedRoot } from './nested-yaml.ts';
import { type PartEdit, placeEdits } from './text-part.ts';
import { YamlCursor } from './yaml-cursor.ts';
import { addItem, addItemBefore, addPair, removeItem, removePair, setScalar } from './yaml-edits.ts';
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

describe('setting a scalar', () => {
  const cases: [string, string, string][] = [
    ['plain', 'a: old # tail\nb: 1\n', 'a: new # tail\nb: 1\n'],
    ['double quotes', 'a: "old"\n', 'a: "new"\n'],
    ['single quotes', "a: 'old'\n", "a: 'new'\n"],
    ['a folded block', 'a: >-\n  old\n  text\nb: 1\n', 'a: new\nb: 1\n'],
    ['a missing value', 'a:\nb: 1\n', 'a: new\nb: 1\n'],
    ['a missing value with a comment', 'a: # why\nb: 1\n', 'a: new # why\nb: 1\n'],
    ['Windows line ends', 'a: old\r\nb: 1\r\n', 'a: new\r\nb: 1\r\n'],
    ['a flow map', '{a: old, b: 1}\n', '{a: new, b: 1}\n'],
    ['quotes in a flow map', "{a: 'old', b: 1}\n", "{a: 'new', b: 1}\n"],
    ['JSON', '{"a": null, "b": 1}\n', '{"a": "new", "b": 1}\n'],
    ['no line end at the end of the file', 'b: 1\na: old', 'b: 1\na: new'],
    ['a collection in its place', 'a:\n  - x\n  - y\nb: 1\n', 'a:\n  new\nb: 1\n'],
  ];
  for (const [name, before, after] of cases) {
    test(`keeps everything around ${name}`, () => {
      assert.equal(
        edited(before, (root) => setScalar(place(root, 'a'), 'new')),
        after,
      );
    });
  }

  test('quotes what YAML 1.1 would read as something else', () => {
    assert.equal(
      edited('a: x\n', (root) => setScalar(place(root, 'a'), 'yes')),
      'a: "yes"\n',
    );
    assert.equal(
      edited('a: x\n', (root) => setScalar(place(root, 'a'), '0400')),
      'a: "0400"\n',
    );
  });
});

describe('adding to collections', () => {
  test('adds a key behind the last one, below its trailing comment', () => {
    assert.equal(
      edited('m:\n  a: 1 # one\n# end\nz: 1\n', (root) => addPair(place(root, 'm'), 'b', { c: 'd' })),
      'm:\n  a: 1 # one\n  b:\n    c: d\n# end\nz: 1\n',
    );
  });

  test('adds items at the column where the dashes stand', () => {
    assert.equal(
      edited('l:\n- a\n', (root) => addItem(place(root, 'l'), { x: '1', v: '2' })),
      'l:\n- a\n- x: "1"\n  v: "2"\n',
    );
    assert.equal(
      edited('l:\n    - a', (root) => addItem(place(root, 'l'), 'b')),
      'l:\n    - a\n    - b',
    );
  });

  test('writes lists below a key the way the file does', () => {
    assert.equal(
      edited('m:\n    l:\n      - a\n', (root) => addPair(place(root, 'm'), 'k', ['v'])),
      'm:\n    l:\n      - a\n    k:\n        - v\n',
    );
    assert.equal(
      edited('m:\n  l:\n  - a\n', (root) => addPair(place(root, 'm'), 'k', ['v'])),
      'm:\n  l:\n  - a\n  k:\n  - v\n',
    );
  });

  test('fills empty collections', () => {
    assert.equal(
      edited('m:\n  l:\n  n: 1\n', (root) => addItem(place(root, 'm', 'l'), 'a')),
      'm:\n  l:\n  - a\n  n: 1\n',
    );
    assert.equal(
      edited('m:\n  l: []\n  n: 1\n', (root) => addItem(place(root, 'm', 'l'), 'a')),
      'm:\n  l:\n  - a\n  n: 1\n',
    );
    assert.equal(
      edited('m:\n  l: [] # none\n', (root) => addItem(place(root, 'm', 'l'), 'a')),
      'm:\n  l: [a] # none\n',
    );
    assert.equal(
      edited('m: {}\n', (root) => addPair(place(root, 'm'), 'a', 'b')),
      'm:\n  a: b\n',
    );
  });

  const trailing: [string, string, string][] = [
    ['a comma in front', 'a: [\n  x, # one\n  y, # two\n]\n', 'a: [\n  x, # one\n  y, # two\n  z,\n]\n'],
    ['no comma', 'a: [\n  x, # one\n  y # two\n]\n', 'a: [\n  x, # one\n  y, # two\n  z\n]\n'],
    ['no comma, after lines that end in CRLF', 'a: [\r\n  y # two\r\n]\r\n', 'a: [\r\n  y, # two\r\n  z\r\n]\r\n'],
    ['the bracket on its line', 'a: [x, y # two\n]\n', 'a: [x, y, # two\n    z\n]\n'],
  ];
  for (const [name, before, after] of trailing) {
    test(`leaves the comment of the last element with it: ${name}`, () => {
      assert.equal(
        edited(before, (root) => addItem(place(root, 'a'), 'z')),
        after,
      );
    });
  }

  test('leaves the comment of the last value of a flow map with it', () => {
    assert.equal(
      edited('a: {\n  x: 1, # one\n  y: 2 # two\n}\n', (root) => addPair(place(root, 'a'), 'z', 3)),
      'a: {\n  x: 1, # one\n  y: 2, # two\n  z: 3\n}\n',
    );
  });

  test('stays in flow, on lines of its own where the elements have them', () => {
    assert.equal(
      edited('l: [a, b]\n', (root) => addItem(place(root, 'l'), { c: 1 })),
      'l: [a, b, {c: 1}]\n',
    );
    assert.equal(
      edited('{\n  "l": [\n    "a"\n  ]\n}\n', (root) => addItem(place(root, 'l'), 'b')),
      '{\n  "l": [\n    "a",\n    "b"\n  ]\n}\n',
    );
    assert.equal(
      edited('{\n  "l": [\n    {"a": 1}\n  ]\n}\n', (root) => addPair(place(root, 'l', 0), 'b', 2)),
      '{\n  "l": [\n    {"a": 1, "b": 2}\n  ]\n}\n',
    );
  });

  const quoted: [string, string, string][] = [
    ['plain', 'l:\n- {id: a, val: b}\n', 'l:\n- {id: a, val: b}\n- {id: x, val: /y, t: "true"}\n'],
    ['with spaces', 'l: [ { id: a, val: b } ]\n', 'l: [ { id: a, val: b }, { id: x, val: /y, t: "true" } ]\n'],
    ['single quotes', "l: [{id: 'a', val: 'b'}]\n", "l: [{id: 'a', val: 'b'}, {id: 'x', val: '/y', t: 'true'}]\n"],
    [
      'quotes for values of one key',
      'l: [{id: a, val: "b"}]\n',
      'l: [{id: a, val: "b"}, {id: x, val: "/y", t: "true"}]\n',
    ],
    [
      'quotes that were needed',
      "l: [{id: a, val: 'true'}]\n",
      "l: [{id: a, val: 'true'}, {id: x, val: /y, t: 'true'}]\n",
    ],
    ['JSON', '{"l": [{"id": "a"}]}\n', '{"l": [{"id": "a"}, {"id": "x", "val": "/y", "t": "true"}]}\n'],
    [
      'double quotes in blocks',
      'l:\n- id: "a"\n  val: "b"\n',
      'l:\n- id: "a"\n  val: "b"\n- id: "x"\n  val: "/y"\n  t: "true"\n',
    ],
    ['JSON without spaces', '{"l":[{"id":"a"}]}\n', '{"l":[{"id":"a"},{"id":"x","val":"/y","t":"true"}]}\n'],
    ['quoted keys', "l:\n- 'id': a\n", "l:\n- 'id': a\n- 'id': x\n  'val': /y\n  't': 'true'\n"],
  ];
  for (const [name, before, after] of quoted) {
    test(`writes as the file does: ${name}`, () => {
      assert.equal(
        edited(before, (root) => addItem(place(root, 'l'), { id: 'x', val: '/y', t: 'true' })),
        after,
      );
    });
  }

  test('gives a map another collection in the style of those that it has', () => {
    assert.equal(
      edited('m:\n  e: [{a: b}]\n', (root) => addPair(place(root, 'm'), 'k', [{ a: 'c' }])),
      'm:\n  e: [{a: b}]\n  k: [{a: c}]\n',
    );
    assert.equal(
      edited('m:\n  e: [a]\n', (root) => addPair(place(root, 'm'), 'k', [{ a: 'c' }])),
      'm:\n  e: [a]\n  k:\n  - a: c\n',
    );
  });

  test('puts an item in front of another', () => {
    assert.equal(
      edited('l:\n  # first\n  - a\n', (root) =>
        addItemBefore(place(root, 'l'), place(root, 'l', 0), { x: 'v', z: 'w' }),
      ),
      'l:\n  # first\n  - x: v\n    z: w\n  - a\n',
    );
    assert.equal(
      edited('l: [a]\n', (root) => addItemBefore(place(root, 'l'), place(root, 'l', 0), 'b')),
      'l: [b, a]\n',
    );
  });

  test('keeps the blank lines that a block scalar claims', () => {
    assert.equal(
      edited('m:\n  a: |+\n    x\n\nz: 1\n', (root) => addPair(place(root, 'm'), 'b', 'c')),
      'm:\n  a: |+\n    x\n\n  b: c\nz: 1\n',
    );
    assert.equal(
      edited('m:\n  a: |\n    x\n\nz: 1\n', (root) => addPair(place(root, 'm'), 'b', 'c')),
      'm:\n  a: |\n    x\n  b: c\n\nz: 1\n',
    );
  });
});

describe('removing from collections', () => {
  test('takes whole lines with it', () => {
    assert.equal(
      edited('a: 1\nb: # gone\n  c: d\ne: 2\n', (root) => removePair(place(root, 'b'))),
      'a: 1\ne: 2\n',
    );
    assert.equal(
      edited('l:\n- a\n- b: 1\n  c: 2\n- d\n', (root) => removeItem(place(root, 'l', 1))),
      'l:\n- a\n- d\n',
    );
    assert.equal(
      edited('l:\n- a\n-\n  b: 1\n', (root) => removeItem(place(root, 'l', 1))),
      'l:\n- a\n',
    );
  });

  test('keeps the dash when the first key of an item goes', () => {
    assert.equal(
      edited('- v: x\n  n: y\n', (root) => removePair(place(root, 0, 'v'))),
      '- n: y\n',
    );
  });

  test('leaves the comments of the elements around it', () => {
    const list = 'a: [\n  x, # one\n  y, # two\n  # about z\n  z # three\n]\n';
    const without = (index: number) => edited(list, (root) => removeItem(place(root, 'a', index)));
    assert.equal(without(0), 'a: [\n  y, # two\n  # about z\n  z # three\n]\n');
    assert.equal(without(1), 'a: [\n  x, # one\n  # about z\n  z # three\n]\n');
    assert.equal(without(2), 'a: [\n  x, # one\n  y, # two\n  # about z\n]\n');
  });

  test('keeps flow collections well formed', () => {
    assert.equal(
      edited('{a: 1, b: 2, c: 3}\n', (root) => removePair(place(root, 'b'))),
      '{a: 1, c: 3}\n',
    );
    assert.equal(
      edited('{a: 1, b: 2}\n', (root) => removePair(place(root, 'b'))),
      '{a: 1}\n',
    );
    assert.equal(
      edited('[a, b]\n', (root) => removeItem(place(root, 0))),
      '[b]\n',
    );
  });

  test('leaves an empty collection where nothing remains', () => {
    assert.equal(
      edited('m:\n  a: 1\nn: 2\n', (root) => removePair(place(root, 'm', 'a'))),
      'm:\n  {}\nn: 2\n',
    );
    assert.equal(
      edited('l:\n- a\nn: 2\n', (root) => removeItem(place(root, 'l', 0))),
      'l:\n[]\nn: 2\n',
    );
  });
});

describe('YAML inside a scalar', () => {
  const nested = (root: YamlCursor, ...path: string[]) => {
    const inner = nestedRoot(place(root, 'data', 'c'));
    assert(inner, 'the scalar holds YAML');
    return path.length === 0 ? inner : place(inner, ...path);
  };

  test('is edited line by line in a literal block', () => {
    const text = 'data:\n  c: |\n    a: 1 # keep\n\n    b:\n      h: old\n  d: x\n';
    assert.equal(
      edited(text, (root) => setScalar(nested(root, 'b', 'h'), 'new')),
      text.replace('old', 'new'),
    );
    assert.equal(
      edited(text, (root) => addPair(nested(root), 'z', 'v')),
      text.replace('h: old\n', 'h: old\n    z: v\n'),
    );
    assert.equal(
      edited(text, (root) => removePair(nested(root, 'b'))),
      'data:\n  c: |\n    a: 1 # keep\n\n  d: x\n',
    );
    assert.equal(
      edited(text, (root) => removePair(nested(root, 'a'))),
      text.replace('    a: 1 # keep\n', ''),
    );
  });

  test('keeps Windows line ends and explicit indentation', () => {
    const text = 'data:\r\n  c: |2\r\n    a: 1\r\n  d: x\r\n';
    assert.equal(
      edited(text, (root) => addPair(nested(root), 'z', 'v')),
      'data:\r\n  c: |2\r\n    a: 1\r\n    z: v\r\n  d: x\r\n',
    );
  });

  test('is written anew, quoted, in any other style', () => {
    assert.equal(
      edited('data:\n  c: "a: 1\\nb: old\\n"\n  d: x\n', (root) => setScalar(nested(root, 'b'), 'new')),
      'data:\n  c: "a: 1\\nb: new\\n"\n  d: x\n',
    );
  });
});
