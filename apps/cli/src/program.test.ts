import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { runCommand } from '../test/captured-terminal.ts';
import { readEnvironment } from './config/environment.ts';
import { exampleOf, fullName, leaves } from './help.ts';
import { buildProgram } from './program.ts';

const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
const program = await buildProgram({
  environment: readEnvironment({}),
  terminal: streams,
  now: Date.now,
  setExit: () => undefined,
});

const usage: ReadonlyArray<readonly [args: string, message: RegExp, remedy: RegExp]> = [
  ['acount list', /unknown command 'acount'/, /Did you mean account\?/],
  ['endpoint creat', /unknown command 'creat'/, /Did you mean create\? Run "sallyport endpoint --help"/],
  ['endpoint create --prefx acme', /unknown option '--prefx'/, /Did you mean --prefix\?/],
  ['endpoint create --prefix acme', /--ca-certificates <file> is missing/, /"sallyport endpoint create --help"/],
  ['endpoint', /needs a command: create, show, mode/, /"sallyport endpoint --help"/],
  ['endpoint mode strct', /'strct' is invalid.*Allowed: loose, strict/, /"sallyport endpoint mode --help"/],
  ['key create ci --role root', /'root' is invalid.*Allowed: operator, admin, viewer/, /--help/],
  ['key create ci --role admin --expires 2020-01-01', /in the past/, /--help/],
  ['token create', /missing required argument 'name'/, /"sallyport token create --help"/],
  ['token create a b', /too many arguments/, /--help/],
  ['task run --timeout 30 -- ls', /'30' is invalid.*such as 30s/, /--help/],
  ['task run --timeout 2d -- ls', /from 1s to 86400s/, /--help/],
  ['task run --variable X -- ls', /NAME=value/, /--help/],
  ['task list --limit 0', /whole number from 1 to 500/, /--help/],
  ['completion tcsh', /'tcsh' is invalid/, /--help/],
  ['account list', /No control plane is named/, /sallyport login --url/],
  ['account list --url http://x --api-key a.b.c', /does not start with https:/, /https:\/\/HOST:PORT/],
  ['account list --url https://x', /no API key for https:\/\/x/, /SALLYPORT_API_KEY/],
];

for (const [args, message, remedy] of usage) {
  test(`"sallyport ${args}" says what is wrong and what to do`, async () => {
    const { exit, stdout, stderr } = await runCommand(args.split(' '));
    assert.equal(exit, args.endsWith('https://x') ? 4 : 2);
    assert.equal(stdout, '');
    const lines = stderr.trimEnd().split('\n');
    assert.match(lines.find((line) => line.startsWith('error: ')) ?? '', message);
    assert.match(lines.find((line) => line.startsWith('details: ')) ?? '', /^details: [A-Z_]+/);
    assert.match(lines.find((line) => line.startsWith('remedy: ')) ?? '', remedy);
  });
}

test('with --json a usage error is one line of JSON on standard error, also when the options cannot be read', async () => {
  for (const args of [
    ['account', 'list', '--json'],
    ['--json', 'acount'],
    ['endpoint', '--json'],
  ]) {
    const { exit, stdout, stderr } = await runCommand(args);
    assert.equal(exit, 2);
    assert.equal(stdout, '');
    const { error } = JSON.parse(stderr) as { error: Record<string, unknown> };
    assert.deepEqual(Object.keys(error), [
      'code',
      'message',
      'remedy',
      'status',
      'correlationId',
      'detail',
      'exitCode',
    ]);
    assert.equal(error['code'], 'USAGE');
    assert.equal(error['exitCode'], 2);
  }
});

test('a --json that belongs to the command to run does not make the errors JSON', async () => {
  const { stderr } = await runCommand(['task', 'run', '--', 'kubectl', '--json']);
  assert.match(stderr, /^error: /);
});

test('every command has a description and help that ends with an example of itself', async () => {
  for (const command of leaves(program)) {
    const name = fullName(command);
    assert.notEqual(command.description(), '', name);
    const example = exampleOf(command) ?? '';
    assert.ok(example.includes(name), `${name}: ${example}`);
    const { exit, stdout } = await runCommand([...name.split(' ').slice(1), '--help']);
    assert.equal(exit, 0, name);
    assert.ok(stdout.endsWith(`Example:\n  ${example}\n`), name);
    assert.match(stdout, /Global Options:\n {2}--url <url>/, name);
  }
});

test('every option of every command is described', () => {
  for (const command of [program, ...leaves(program)]) {
    for (const option of command.options) assert.ok(option.description, `${fullName(command)} ${option.flags}`);
    for (const argument of command.registeredArguments) assert.ok(argument.description, fullName(command));
  }
});

test('without arguments the program shows its help, the exit codes included', async () => {
  const { exit, stdout } = await runCommand([]);
  assert.equal(exit, 0);
  assert.match(stdout, /^Usage: sallyport/);
  assert.match(stdout, /Exit codes:\n {2}0 {2}done/);
});

test('the version is that of the package', async () => {
  const { exit, stdout } = await runCommand(['--version']);
  assert.equal(exit, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test('the content of a key on the command line is not repeated by the error about it', async () => {
  const { exit, stderr } = await runCommand(['cert', 'inspect', '-----BEGIN PRIVATE KEY-----\nMIIEvQIB\n']);
  assert.equal(exit, 2);
  assert.match(stderr, /The content of a file was given/);
  assert.ok(!stderr.includes('MIIEvQIB'));
});
