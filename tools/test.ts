// `npm test`: everything that must hold, in order of cost: types, lint, repo rules, then every *.test.ts.
// `npm test -- PATTERN ...` runs only the test files whose path contains one of the patterns.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groupModule, groupTests } from './test-groups.ts';

const root = join(import.meta.dirname, '..');
const patterns = process.argv.slice(2);
const bin = (name: string) => join(root, 'node_modules', '.bin', name);
// So that what is left below for the end is done then too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** Resolves when the command has succeeded; ends the whole run when it fails. */
async function step(title: string, command: string, args: readonly string[]): Promise<void> {
  console.log(`\n== ${title}`);
  const started = performance.now();
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    // Most of a test's start is reading TypeScript: what one process has compiled, the next ones of this run take over.
    NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'),
    PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH']}`,
  };
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', env });
  const stop = () => child.kill();
  process.once('exit', stop);
  const reason = await once(child, 'close').then(
    ([code, signal]) => (code === 0 ? null : (signal ?? `exit code ${code}`)),
    (error: Error) => error.message,
  );
  if (reason !== null) {
    console.error(`\n${title}: failed (${reason})`);
    process.exit(1);
  }
  process.off('exit', stop);
  console.log(`== ${title}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

async function lintAndRules(): Promise<void> {
  await step('lint', bin('biome'), ['check', '--error-on-warnings']);
  const checks = globSync('tools/check-*.ts', { cwd: root }).sort();
  await Promise.all(checks.map((check) => step(check, process.execPath, [check])));
}

if (patterns.length === 0) {
  // With the default number of threads each checks the same types of our dependencies again: almost three times the work.
  await Promise.all([step('types', bin('tsc'), ['--noEmit', '--singleThreaded']), lintAndRules()]);
}
const files = globSync('{packages,apps,tests,tools,bench,gauntlet}/**/*.test.ts', {
  cwd: root,
  exclude: (path) => path === 'node_modules',
})
  .filter((path) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)))
  .sort()
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
const modules = mkdtempSync(join(tmpdir(), 'sallyport-test-groups-'));
process.once('exit', () => rmSync(modules, { recursive: true, force: true }));
const groups = groupTests(files).map((paths, index) => {
  // The runner starts them in the order of their names, and names them when a process ends before its time.
  const module = join(modules, `${String(index).padStart(3, '0')}-${paths[0]?.replaceAll('/', '-')}.mjs`);
  writeFileSync(module, groupModule(root, paths));
  return module;
});
await step('tests', process.execPath, [
  '--disable-warning=ExperimentalWarning',
  '--test',
  '--test-concurrency=3',
  // Whatever hangs is named, instead of holding up the run for ever.
  '--test-timeout=240000',
  '--test-reporter=spec',
  `--test-global-setup=${join(root, 'tests', 'global-setup.ts')}`,
  ...groups,
]);
