import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_LOG_LINE_BYTES } from '@sallyport/protocol';
import { linesOf, readLines } from './log-lines.ts';

const read = async (lines: unknown) => {
  const { chunks } = await readLines(Buffer.from(JSON.stringify(lines)));
  return chunks.flatMap((chunk) => {
    const texts = linesOf(chunk);
    assert.equal(texts.length, chunk.lines);
    return texts.map((text) => JSON.parse(text) as { out: string });
  });
};

test('a line is kept as it came, without what is not known', async () => {
  const line = {
    level: 'warn',
    pos: 7,
    out: 'a\nb\u2028\u0000"\\',
    time: '2026-01-02T03:04:05.000000006Z',
    args: { a: 'b' },
  };
  assert.deepEqual(await read([{ ...line, more: 1 }]), [line]);
  assert.deepEqual(await read([{ out: '' }]), [{ level: 'info', pos: 0, out: '', time: '', args: null }]);
});

test('a line that is too long is cut at a whole character, and says so', async () => {
  for (const letter of ['x', '\u20ac', '\u{1F600}']) {
    const [whole] = await read([{ out: letter.repeat(MAX_LOG_LINE_BYTES / 8) }]);
    assert.equal(whole?.out, letter.repeat(MAX_LOG_LINE_BYTES / 8));
    const [cut] = await read([{ out: letter.repeat(MAX_LOG_LINE_BYTES + 1) }]);
    assert.ok(cut !== undefined && Buffer.byteLength(cut.out) <= MAX_LOG_LINE_BYTES);
    assert.ok(Buffer.byteLength(cut.out) > MAX_LOG_LINE_BYTES - 16);
    assert.equal(cut.out.slice(-7), ' [cut]\n');
    assert.equal(cut.out.slice(0, -7).replaceAll(letter, ''), '', 'whole characters only');
  }
});

test('many lines come in chunks, in their order', async () => {
  const outs = Array.from({ length: 2_345 }, (_, index) => String(index));
  assert.deepEqual(
    (await read(outs.map((out) => ({ out })))).map(({ out }) => out),
    outs,
  );
});

test('the positions of a writer that numbers its lines are read, and must grow', async () => {
  const body = (...positions: unknown[]) => Buffer.from(JSON.stringify(positions.map((pos) => ({ out: 'x', pos }))));
  assert.deepEqual((await readLines(body(3, 4, 9), 'w')).positions, { writer: 'w', of: [3, 4, 9] });
  assert.equal((await readLines(body(3, 3))).positions, null, 'those of others are nothing to us');
  for (const wrong of [
    body(3, 3),
    body(4, 3),
    body(-1),
    body(undefined),
    body(1, undefined),
    body(1e300),
    body(2 ** 53),
  ]) {
    await assert.rejects(readLines(wrong, 'w'), { code: 'INVALID_REQUEST', message: /numbers its lines upwards/ });
  }
});
