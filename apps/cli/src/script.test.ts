import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { commandLine } from './script.ts';

test('one word is a line of shell as it stands', () => {
  assert.equal(commandLine(["ls | wc -l; echo 'x'"]), "ls | wc -l; echo 'x'");
});

test('several words reach the command exactly as they were given', () => {
  const words = ['printf', '%s\\n', 'two  spaces', '$HOME', "it's", '`id`', 'a=b', '*', '', '-n', 'line\nfeed', '\\'];
  const output = execFileSync('sh', ['-c', commandLine(words)], { encoding: 'utf8' });
  assert.equal(output, `${words.slice(2).join('\n')}\n`);
});

test('a first word with an equals sign stays a command and does not become an assignment', () => {
  assert.equal(commandLine(['A=1', 'env']), "'A=1' env");
});
