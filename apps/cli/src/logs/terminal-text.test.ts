import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shownOn } from './terminal-text.ts';

const TERMINAL = { isTerminal: true, noColor: false };
const PIPE = { isTerminal: false, noColor: false };

test('colours and tabs reach a terminal as they are', () => {
  const text = '\x1b[1;38;5;208mwarm\x1b[0m\tand \x1b[4:3mcurly\x1b[m\n';
  assert.equal(shownOn(TERMINAL, text), text);
});

test('every other control sequence is shown, not obeyed', () => {
  const attacks: ReadonlyArray<readonly [attack: string, shown: string]> = [
    ['\x1b]0;title\x07', '\\x1b]0;title\\x07'],
    ['\x1b[2J\x1b[H', '\\x1b[2J\\x1b[H'],
    ['\x1b[6n', '\\x1b[6n'],
    ['\x1b[1A\x1b[2K', '\\x1b[1A\\x1b[2K'],
    ['\x1b]52;c;cm0gLXJm\x07', '\\x1b]52;c;cm0gLXJm\\x07'],
    ['\x1bP+q544e\x1b\\', '\\x1bP+q544e\\x1b\\'],
    ['\x9b2J', '\\x9b2J'],
    ['\x1b[?1049h', '\\x1b[?1049h'],
    ['\x1b[>4;1m', '\\x1b[>4;1m'],
    ['all good\rrm -rf', 'all good\\x0drm -rf'],
    ['a\bb', 'a\\x08b'],
    ['\u202eevil', '\\u{202e}evil'],
    ['\x1b[8mhidden\x1b[0m', '\\x1b[8mhidden\x1b[0m'],
    ['\x1b[31;8mhidden', '\\x1b[31;8mhidden'],
    ['\x1b[31\x1b[0m', '\\x1b[31\x1b[0m'],
  ];
  for (const [attack, shown] of attacks) assert.equal(shownOn(TERMINAL, attack), shown);
});

test('a pipe gets what the script printed, byte for byte', () => {
  const text = '\x1b[31mred\x1b[2J\r\x07';
  assert.equal(shownOn(PIPE, text), text);
});

test('NO_COLOR takes the colours out, on a terminal and in a pipe', () => {
  assert.equal(shownOn({ isTerminal: true, noColor: true }, '\x1b[31mred\x1b[0m\x1b[2J'), 'red\\x1b[2J');
  assert.equal(shownOn({ isTerminal: false, noColor: true }, '\x1b[31mred\x1b[0m'), 'red');
});
