import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from './printable.ts';
import { type Column, fields, table } from './table.ts';

interface Row {
  readonly name: string;
  readonly subject: string;
}
const columns: Column<Row>[] = [
  { title: 'NAME', value: (row) => row.name },
  { title: 'SUBJECT', value: (row) => row.subject },
];
const plain = { width: undefined, header: (text: string) => text };

test('columns are as wide as their widest cell, and lines end without blanks', () => {
  const rows = [
    { name: 'a', subject: 'CN=one' },
    { name: 'longer', subject: '' },
  ];
  assert.equal(table(columns, rows, plain), 'NAME    SUBJECT\na       CN=one\nlonger\n');
});

test('on a narrow terminal the widest column gives way and says so, the others stay whole', () => {
  const text = table(columns, [{ name: 'edge-1', subject: 'CN=a very long subject, O=Example ORG' }], {
    ...plain,
    width: 30,
  });
  assert.equal(text, 'NAME    SUBJECT\nedge-1  CN=a very long subjec…\n');
  for (const line of text.split('\n')) assert.ok([...line].length <= 30, line);
});

test('into a pipe nothing is cut off', () => {
  const subject = 'x'.repeat(500);
  assert.ok(table(columns, [{ name: 'a', subject }], plain).includes(subject));
});

test('wide characters keep the columns aligned', () => {
  const rows = [
    { name: '東京', subject: 'CN=x' },
    { name: 'ab', subject: 'CN=y' },
  ];
  assert.equal(table(columns, rows, plain), 'NAME  SUBJECT\n東京  CN=x\nab    CN=y\n');
});

test('a cell cannot write to the terminal: escape sequences, line feeds and bidi marks are shown as text', () => {
  const subject = 'CN=\u001b[2J\u001b]0;title\u0007evil\r\nadmitted\u202e\u009b1m';
  const text = table(columns, [{ name: 'a', subject }], plain);
  assert.equal(text.split('\n').length, 3);
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
  assert.ok(text.includes('\\x1b[2J'));
});

test('fields keep the lines of a PEM text and make everything else printable', () => {
  assert.equal(
    fields([
      ['Name', 'a\u001b[0m'],
      ['PEM', 'one\ntwo\n'],
    ]),
    'Name: a\\x1b[0m\nPEM:\none\ntwo\n',
  );
  assert.equal(printable('tab\tand\nline'), 'tab\\x09and\\x0aline');
});
