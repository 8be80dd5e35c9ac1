import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { logDestination } from './log-lines.ts';

function written(isTTY: boolean, line: object): string {
  const texts: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      texts.push(String(chunk));
      done();
    },
  });
  logDestination(Object.assign(stream, { isTTY })).write(`${JSON.stringify(line)}\n`);
  return texts.join('');
}

const LINE = {
  level: 'warn',
  time: '2026-11-22T01:02:03.000Z',
  msg: 'it said\n\u001b[2Jgone\u202e',
  tries: 2,
  to: 'a',
};

test('a terminal gets a readable line in which nothing moves its cursor', () => {
  assert.equal(written(true, LINE), '01:02:03 WARN  it said\\u{a}\\u{1b}[2Jgone\\u{202e} tries=2 to=a\n');
});

test('anything else gets the JSON as it is', () => {
  assert.equal(written(false, LINE), `${JSON.stringify(LINE)}\n`);
});
