import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EditableText } from './editable-text.ts';
import { setInWord, shellCommands, shellQuote } from './shell-words.ts';
import { placeEdits } from './text-part.ts';

const values = (text: string) => shellCommands(text).map(({ words }) => words.map((word) => word.value));

describe('words of a command line', () => {
  test('end at spaces, and quotes and escapes are resolved', () => {
    assert.deepEqual(values(`run -e "A=b c" 'd"e' f\\ g h"i"'j'`), [['run', '-e', 'A=b c', 'd"e', 'f g', 'hij']]);
  });

  test('go on over continued lines of POSIX shells, PowerShell and cmd', () => {
    assert.deepEqual(values('run \\\n  -d \\\r\n  x'), [['run', '-d', 'x']]);
    assert.deepEqual(values('run `\n  x'), [['run', 'x']]);
    assert.deepEqual(values('run ^\r\n  x'), [['run', 'x']]);
  });

  test('belong to one command up to its end, without comments', () => {
    assert.deepEqual(values('a b && c; d | e # f\n# g\nh'), [['a', 'b'], ['c'], ['d'], ['e'], ['h']]);
  });

  test('that the shell fills in are known as such', () => {
    const expands = (text: string) => shellCommands(text)[0]?.words[0]?.expands;
    assert.deepEqual(['$A', '"$A"', '"$(a)"', '`a`', "'$A'", '\\$A', '5$'].map(expands), [
      true,
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  test('are changed in place, in the quotes that they have', () => {
    const change = (text: string, value: string) => {
      const source = new EditableText(text);
      const word = shellCommands(text)[0]?.words[1];
      assert(word);
      const from = word.value.indexOf('=') + 1;
      source.apply(placeEdits([setInWord(word, from, word.value.length, value)]));
      return source.text;
    };
    assert.equal(change('x A=b c', 'https://new/'), 'x A=https://new/ c');
    assert.equal(change('x A="b" c', 'https://new/'), 'x A="https://new/" c');
    assert.equal(change("x 'A=b' c", 'https://new/'), "x 'A=https://new/' c");
    assert.equal(change('x A= c', 'n'), 'x A=n c');
    assert.equal(change('x "A=b" c', '/a $(rm -rf /)/d'), "x 'A=/a $(rm -rf /)/d' c");
    assert.equal(change("x 'A=b' c", "/it's"), `x 'A=/it'\\''s' c`);
  });

  test('are quoted where they need it', () => {
    assert.deepEqual(['/a/b:c', 'a b', "it's"].map(shellQuote), ['/a/b:c', "'a b'", `'it'\\''s'`]);
  });
});
