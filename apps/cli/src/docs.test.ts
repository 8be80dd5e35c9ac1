import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Argument, Command } from 'commander';
import { ENVIRONMENT_NAMES, readEnvironment } from './config/environment.ts';
import { EXIT, EXIT_MEANINGS } from './exit-codes.ts';
import { exampleOf, fullName, leaves } from './help.ts';
import { buildProgram } from './program.ts';

const document = readFileSync(join(import.meta.dirname, '../../../docs/cli.md'), 'utf8');
const stream = new PassThrough();
const program = await buildProgram({
  environment: readEnvironment({}),
  terminal: { stdin: stream, stdout: stream, stderr: stream },
  now: Date.now,
  setExit: () => undefined,
});

/** The text below a heading, up to the next one. */
function section(heading: string): string {
  const [, rest = ''] = document.split(`\n${heading}\n`);
  return rest.split(/\n##+ /)[0] ?? '';
}

const bullets = (text: string): string[] => [...text.matchAll(/^- `([^`]+)`: /gm)].map((match) => match[1] ?? '');
const firstCells = (text: string): string[] =>
  [...text.matchAll(/^\| `?([A-Z0-9_]+)`? \|/gm)].map((match) => match[1] ?? '');

const argumentTerm = (argument: Argument): string => {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
};
const termsOf = (command: Command): string[] => [
  ...command.registeredArguments.map(argumentTerm),
  ...command.options.map((option) => option.flags),
];

test('docs/cli.md has a section for every command, and none for a command that does not exist', () => {
  const documented = [...document.matchAll(/^### (.+)$/gm)].map((match) => match[1]);
  assert.deepEqual(documented, leaves(program).map(fullName));
});

for (const command of leaves(program)) {
  test(`docs/cli.md names exactly the arguments and options of ${fullName(command)}, with its example`, () => {
    const text = section(`### ${fullName(command)}`);
    assert.deepEqual(bullets(text), termsOf(command));
    assert.ok(text.includes(`\n    ${exampleOf(command)}\n`));
    for (const option of command.options) {
      for (const choice of option.argChoices ?? []) assert.ok(text.includes(choice), `${option.flags}: ${choice}`);
    }
  });
}

test('docs/cli.md names exactly the global options', () => {
  assert.deepEqual(bullets(section('## Global options')).toSorted(), termsOf(program).toSorted());
});

test('docs/cli.md names exactly the environment variables that are read', () => {
  assert.deepEqual(firstCells(section('## Where the connection comes from')), [...ENVIRONMENT_NAMES]);
});

test('docs/cli.md has exactly the exit codes of the program, with their meanings', () => {
  const text = section('## Exit codes');
  assert.deepEqual(firstCells(text).map(Number), Object.values(EXIT));
  for (const [name, meaning] of Object.entries(EXIT_MEANINGS)) {
    assert.ok(text.includes(`| ${EXIT[name as keyof typeof EXIT]} | ${meaning} |`), name);
  }
});
