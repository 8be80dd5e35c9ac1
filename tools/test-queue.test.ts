import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { processModule, type TestProcess } from './run-test-files.ts';
import { runTests } from './run-tests.ts';
import { RunRecord, shareOut } from './test-queue.ts';

const file = (path: string, text = '') => ({ path, text });

/** A folder with these test files, `<name>.test.ts` each. */
function folderOf(t: TestContext, texts: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-queue-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const record = join(root, 'record');
  mkdirSync(record);
  const files = Object.entries(texts).map(([name, body]) => {
    const text = `import { beforeEach, test } from 'node:test';\n${body}\n`;
    writeFileSync(join(root, `${name}.test.ts`), text);
    return file(`${name}.test.ts`, text);
  });
  return { root, record, files, paths: files.map(({ path }) => path) };
}

/** Runs one process of a test run by itself. */
function runOne(testProcess: TestProcess, ...flags: string[]) {
  const module = join(testProcess.root, 'process.mjs');
  writeFileSync(module, processModule(testProcess));
  // Without this variable, which marks the processes of a test run: node would take the run for one of its own files.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', ...flags, module], {
    env,
    encoding: 'utf8',
  });
}

test('all files wait in one queue, for as many processes as can take them', () => {
  const files = Array.from({ length: 41 }, (_, index) => file(`apps/a-${index}.test.ts`));
  const paths = files.map(({ path }) => path);
  assert.deepEqual(shareOut(files), Array(3).fill({ paths, most: 20 }));
  assert.deepEqual(shareOut([]), []);
});

test('a file that says why stays alone or comes early, a file that only speaks of it does not', () => {
  const shares = shareOut([
    file('a.test.ts'),
    file('b.test.ts', "import 'c';\n// Alone in its process: measures its memory.\n"),
    file('c.test.ts', "const text = '// Alone in its process: so';\n// Alone in its process:\n// Among the first:\n"),
    file('d.test.ts', '// Among the first: takes as long as a dozen others.\n'),
  ]);
  assert.deepEqual(shares, [
    { paths: ['b.test.ts'], most: 1 },
    { paths: ['d.test.ts', 'a.test.ts', 'c.test.ts'], most: 20 },
  ]);
});

test('a file is claimed once, and a claim that cannot be written is an error', (t) => {
  const { root, record, paths } = folderOf(t, { one: '', two: '' });
  assert.deepEqual(
    [...paths, ...paths].map((path) => new RunRecord(record).claim(path)),
    [true, true, false, false],
  );
  assert.throws(() => new RunRecord(join(root, 'missing')).claim('one'), { code: 'ENOENT' });
});

test('a process takes what no other has claimed, and no more than its bound', (t) => {
  const { root, record, paths } = folderOf(t, { one: '', two: "test('ran', () => undefined);", three: '', four: '' });
  const marks = new RunRecord(record);
  marks.claim('one.test.ts');
  const { status, stdout } = runOne({ root, record, paths, most: 2 }, '--test', '--test-reporter=tap');
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^# Subtest: two\.test\.ts\n(.*\n)*# Subtest: three\.test\.ts\n/m);
  assert.doesNotMatch(stdout, /one\.test\.ts|four\.test\.ts/);
  assert.deepEqual(marks.missing(paths), [
    'one.test.ts: its process ended in the middle of it',
    'never begun, because processes ended before their time: four.test.ts',
  ]);
});

test('in one process each file keeps its hooks, and what fails is told with its file', (t) => {
  const { root, record, paths } = folderOf(t, {
    one: "beforeEach(() => console.log('hook of one'));",
    two: "const later = () => new Promise((done) => setTimeout(done, 20).unref());\nawait later();\ntest('holds', later);",
    three: "test('breaks', () => { throw new Error('so'); });",
    four: "import './missing.ts';",
    five: 'await new Promise(() => undefined);',
    six: "process.env['LEFT'] = 'behind';",
    seven: "test('the last holds', () => undefined);",
  });
  const { status, stdout } = runOne(
    { root, record, paths, most: 20, loadWithinMs: 50 },
    '--test',
    '--test-reporter=tap',
  );
  assert.equal(status, 1, stdout);
  assert.doesNotMatch(stdout, /hook of one/);
  for (const line of [
    'ok 1 - one.test.ts',
    'ok 2 - two.test.ts',
    'not ok 3 - three.test.ts',
    'not ok 4 - four.test.ts',
    'not ok 5 - five.test.ts',
    'not ok 6 - six.test.ts',
    'ok 7 - seven.test.ts',
  ])
    assert.match(stdout, new RegExp(`^ *${line}$`, 'm'));
  assert.match(stdout, /Cannot find module .*missing\.ts' imported from .*four\.test\.ts/);
  assert.match(stdout, /The file was not loaded within 0\.05 s/);
  assert.match(stdout, /the file has changed variables for those after it/);
  assert.match(stdout, /'LEFT'/);
  assert.doesNotMatch(stdout, /behind/);
  assert.match(stdout, /^# tests 3$/m);
  assert.match(stdout, /^# pass 2$/m);
});

test('a file that leaves something open fails, and does not hold up the run', (t) => {
  const { root, record, paths } = folderOf(t, {
    leaves: "import { createServer } from 'node:net';\ncreateServer().listen(0, '127.0.0.1');",
  });
  const { status, stderr } = runOne({ root, record, paths, most: 20, leftOpenMs: 50 });
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^The tests of this process have ended, and left open: .*TCPServerWrap.*\. They were: leaves\.test\.ts$/m,
  );
});

test('a run in which every file came to its end has nothing to tell, whatever the files are called', async (t) => {
  const run = folderOf(t, {
    '[alone]': "// Alone in its process: to be one.\ntest('holds', () => undefined);",
    'one #1, 100%': "test('holds', () => undefined);",
    empty: '',
  });
  assert.deepEqual(await runTests({ ...run, output: 'ignore' }), []);
});

test('a failed test fails the run', async (t) => {
  const run = folderOf(t, { one: "test('breaks', () => { throw new Error('so'); });", two: '' });
  assert.deepEqual(await runTests({ ...run, output: 'ignore' }), ['exit code 1']);
});

test('a process that ends in the middle fails the run, whatever its status, and the file is named', async (t) => {
  const run = folderOf(t, {
    'a-fine': "test('holds', () => undefined);",
    'b-leaves': "test('leaves', () => process.exit(0));",
    'c-waits': "test('never comes to it', () => undefined);",
    lone: "// Alone in its process: to die in it.\ntest('dies', () => process.kill(process.pid, 'SIGKILL'));",
  });
  assert.deepEqual(await runTests({ ...run, output: 'ignore' }), [
    'exit code 1',
    'b-leaves.test.ts: its process ended in the middle of it',
    'lone.test.ts: its process ended in the middle of it',
    'never begun, because processes ended before their time: c-waits.test.ts',
  ]);
  const { files } = run;
  const queued = files.filter(({ path }) => path !== 'lone.test.ts');
  assert.deepEqual(await runTests({ ...run, files: queued, output: 'ignore' }), [
    'b-leaves.test.ts: its process ended in the middle of it',
    'never begun, because processes ended before their time: c-waits.test.ts',
  ]);
});

test('a file whose loop does not end is named, and ends with its process', (t) => {
  const { root, record, paths } = folderOf(t, { loops: "test('loops', () => { for (;;); });" });
  const { signal, stderr } = runOne({ root, record, paths, most: 20, endWithinMs: 500 });
  assert.equal(signal, 'SIGKILL');
  assert.match(stderr, /^loops\.test\.ts does not end: its process is killed after 0\.5 s\.$/m);
});
