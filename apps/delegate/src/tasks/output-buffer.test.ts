import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutputBuffer } from './output-buffer.ts';

function filled(limit: number, chunks: readonly string[]): OutputBuffer {
  const buffer = new OutputBuffer(limit);
  for (const chunk of chunks) buffer.write(Buffer.from(chunk));
  return buffer;
}

test('an output within the limit is kept whole, characters split over chunks included', () => {
  const buffer = new OutputBuffer(10);
  for (const byte of Buffer.from('añb€c')) buffer.write(Buffer.from([byte]));
  assert.equal(buffer.text(), 'añb€c');
  assert.equal(buffer.truncated, false);
});

test('of a longer output the beginning and the end are kept and the rest is counted', () => {
  for (const chunks of [['0123456789abcdef'], [...'0123456789abcdef'], ['01234567', '89abcdef']]) {
    const buffer = filled(8, chunks);
    assert.equal(buffer.text(), '0123\n[... 8 bytes left out ...]\ncdef');
    assert.equal(buffer.truncated, true);
  }
});

test('an endless output takes no more memory than its limit', () => {
  const buffer = new OutputBuffer(1000);
  const chunk = Buffer.alloc(65_536, 'x');
  for (let n = 0; n < 1000; n += 1) buffer.write(chunk);
  assert.ok(buffer.text().length < 1100);
  assert.match(buffer.text(), /65535000 bytes left out/);
});
