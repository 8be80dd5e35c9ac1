import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { groupModule, groupTests } from './test-groups.ts';

const file = (path: string, text = '') => ({ path, text });

test('every test file runs once, in few processes', () => {
  const files = Array.from({ length: 50 }, (_, index) => file(`apps/a-${index}.test.ts`));
  const groups = groupTests(files);
  assert.deepEqual(
    groups.map(({ length }) => length),
    [17, 17, 16],
  );
  assert.deepEqual(
    groups.flat(),
    files.map(({ path }) => path),
  );
  assert.deepEqual(groupTests([]), []);
});

test('a file that says why stays alone, a file that only speaks of it does not', () => {
  const groups = groupTests([
    file('a.test.ts'),
    file('b.test.ts', "import 'c';\n// Alone in its process: measures its memory.\n"),
    file('c.test.ts', "const text = '// Alone in its process: so';\n// Alone in its process:\n"),
  ]);
  assert.deepEqual(groups, [['b.test.ts'], ['a.test.ts', 'c.test.ts']]);
});

test('in one process each file keeps its hooks, and what fails is told with its file', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-groups-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  write(
    'one.test.ts',
    "import { beforeEach, test } from 'node:test';\nbeforeEach(() => console.log('hook of one'));\n",
  );
  write(
    'two.test.ts',
    "import { test } from 'node:test';\nconst later = () => new Promise((done) => setTimeout(done, 20).unref());\nawait later();\ntest('holds', later);\n",
  );
  write('three.test.ts', "import { test } from 'node:test';\ntest('breaks', () => { throw new Error('so'); });\n");
  write('four.test.ts', "import './missing.ts';\n");
  write('five.test.ts', "import { test } from 'node:test';\ntest('the last holds', () => undefined);\n");
  write(
    'group.mjs',
    groupModule(
      folder,
      ['one', 'two', 'three', 'four', 'five'].map((name) => `${name}.test.ts`),
    ),
  );
  // Without this variable, which marks the processes of a test run: node would take the run for one of its own files.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--test', '--test-reporter=tap', join(folder, 'group.mjs')],
    { env, encoding: 'utf8' },
  );
  assert.equal(status, 1, stdout);
  assert.doesNotMatch(stdout, /hook of one/);
  for (const line of [
    'ok 1 - one.test.ts',
    'ok 2 - two.test.ts',
    'not ok 3 - three.test.ts',
    'not ok 4 - four.test.ts',
  ])
    assert.match(stdout, new RegExp(`^ *${line}$`, 'm'));
  assert.match(stdout, /Cannot find module .*missing\.ts' imported from .*four\.test\.ts/);
  assert.match(stdout, /^# tests 3$/m);
  assert.match(stdout, /^# pass 2$/m);
});

test('a file that leaves something open fails, and does not hold up the run', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-groups-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const leaves = "import { createServer } from 'node:net';\ncreateServer().listen(0, '127.0.0.1');\n";
  writeFileSync(join(folder, 'leaves.test.ts'), leaves);
  writeFileSync(join(folder, 'group.mjs'), groupModule(folder, ['leaves.test.ts'], 50));
  const { status, stderr } = spawnSync(process.execPath, [join(folder, 'group.mjs')], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /^The tests have ended, and left open: .*TCPServerWrap/m);
});
