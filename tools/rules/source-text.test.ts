import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { codeOnly, withoutComments } from './source-text.ts';

describe('code apart from comments and strings', () => {
  it('blanks comments, and leaves what looks like one inside a string', () => {
    assert.equal(withoutComments("a('http://x'); // b\n/* c\n d */ e"), "a('http://x');     \n    \n      e");
  });

  it('blanks the inside of strings, and an escaped quote does not end one', () => {
    assert.equal(codeOnly("a('b\\'c') + \"d\" + f"), 'a(\'    \') + " " + f');
  });

  it('keeps the values of a template as code, nested templates and braces included', () => {
    assert.equal(codeOnly('`a$' + '{b({ c: `d$' + '{e}` })}f` + g'), '`  {b({ c: `  {e}` })} ` + g');
  });

  it('tells a regular expression, with quotes and slashes in it, from a division', () => {
    assert.equal(codeOnly("a.match(/['\"/]\\//) + 'b'"), "a.match(/       /) + ' '");
    assert.equal(codeOnly("a / b / 'c'"), "a / b / ' '");
    assert.equal(codeOnly("return /[/']/.test(a) ? 'b' : c"), "return /    /.test(a) ? ' ' : c");
  });

  it('keeps every line where it is', () => {
    const text = 'const a = `\n$' + "{b}\n`;\n/*\n*/ 'c' // d\n/e/\n";
    assert.equal(codeOnly(text).split('\n').length, text.split('\n').length);
    assert.equal(codeOnly(text).length, text.length);
  });
});
