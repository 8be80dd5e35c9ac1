import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { onTerminal, terminalUnavailable } from '../test/pseudo-terminal.ts';
import { readAll } from './terminal.ts';

const show = `const { heading } = await import('${import.meta.resolve('./terminal.ts')}'); process.stdout.write(heading(process, 'NAME') + '|');`;
const command = [process.execPath, '--input-type=module', '-e', show];

test('titles are bold on a terminal', { skip: terminalUnavailable }, async (t) => {
  const terminal = onTerminal(t, command, {});
  await terminal.shows('|');
  assert.equal(terminal.screen(), '\u001b[1mNAME\u001b[22m|');
});

test('titles are plain where NO_COLOR is set', { skip: terminalUnavailable }, async (t) => {
  const terminal = onTerminal(t, command, { NO_COLOR: '1' });
  await terminal.shows('|');
  assert.equal(terminal.screen(), 'NAME|');
});

test('standard input is read to its end, also where a chunk ends inside a character, and not without limit', async () => {
  const [first, second] = [Buffer.from([0xc3]), Buffer.from([0xa9])];
  assert.equal(await readAll(Readable.from([first, second]), 10), 'é');
  await assert.rejects(readAll(Readable.from([Buffer.alloc(11)]), 10), { exit: 2 });
});
