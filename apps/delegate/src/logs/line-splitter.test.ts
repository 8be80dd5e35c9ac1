import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_LOG_LINE_BYTES } from '@sallyport/protocol';
import { LineSplitter } from './line-splitter.ts';
import { linesOf } from './log-block.ts';

function split(text: string | Buffer, size = Number.POSITIVE_INFINITY): string[] {
  const bytes = Buffer.from(text);
  const lines: string[] = [];
  const splitter = new LineSplitter((out) => lines.push(...linesOf({ pos: 0, out }).map((line) => line.out)));
  for (let at = 0; at < bytes.length; at += size) splitter.write(bytes.subarray(at, at + size));
  splitter.end();
  return lines;
}

test('lines come whole, whatever the chunks, with characters of several bytes', () => {
  const text = 'grün\n\n日本語 🚀\nlast';
  for (const size of [1, 2, 3, 5, 100]) assert.deepEqual(split(text, size), ['grün\n', '\n', '日本語 🚀\n', 'last\n']);
});

test('CRLF is one end of a line, a lone CR is one too, cut wherever', () => {
  for (const size of [1, 2, 3, 100]) {
    assert.deepEqual(split('a\r\nb\r50%\r100%\r\n\r\nend', size), ['a\n', 'b\n', '50%\n', '100%\n', '\n', 'end\n']);
  }
});

test('a line longer than the limit leaves in pieces that are the line again, no character cut', () => {
  const line = '€'.repeat(60_000);
  for (const size of [4096, 65_536, 1_000_000]) {
    const pieces = split(`${line}\nnext\n`, size);
    assert.equal(pieces.join(''), `${line}\nnext\n`);
    assert.ok(pieces.length >= 4);
    for (const piece of pieces)
      assert.ok(Buffer.byteLength(piece) <= MAX_LOG_LINE_BYTES, String(Buffer.byteLength(piece)));
    assert.ok(!pieces.join('').includes('\uFFFD'));
  }
});

test('bytes that are not UTF-8 read as replacement characters and hold nothing up', () => {
  assert.deepEqual(split(Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xe2, 0x82])), ['a\uFFFDb\n', '\uFFFD\n']);
  assert.equal(split(Buffer.alloc(200_000, 0x80)).join('').length, 200_001);
});

test('an endless line is not kept in memory: what is over the limit has left', () => {
  let given = 0;
  const splitter = new LineSplitter((line) => {
    given += line.length;
  });
  for (let n = 0; n < 100; n += 1) splitter.write(Buffer.alloc(10_000, 0x61));
  assert.ok(given > 1_000_000 - MAX_LOG_LINE_BYTES);
});

test('the part of a line that waits for its end leaves when it is asked for, no character cut, and its end follows', () => {
  const out: string[] = [];
  const splitter = new LineSplitter((text) => out.push(text));
  const bytes = Buffer.from('10%€');
  splitter.write(bytes.subarray(0, -1));
  splitter.flush();
  splitter.flush();
  assert.deepEqual(out, ['10%']);
  splitter.write(bytes.subarray(-1));
  splitter.flush();
  assert.equal(splitter.pending, false);
  splitter.write(Buffer.from('\r\n20%'));
  splitter.flush();
  splitter.end();
  splitter.end();
  assert.deepEqual(out, ['10%', '€', '\n', '20%', '\n']);
});
