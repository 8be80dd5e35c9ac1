// `npm test`: everything that must hold, in order of cost: types, lint, repo rules, then every *.test.ts.
// `npm test -- PATTERN ...` runs only the test files whose path contains one of the patterns.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './run-command.ts';
import { runTests } from './run-tests.ts';

const root = join(import.meta.dirname, '..');
const patterns = process.argv.slice(2);
const bin = (name: string) => join(root, 'node_modules', '.bin', name);
// So that what is left below for the end is done then too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** Resolves when the step has succeeded; ends the whole run when it tells of failures. */
async function step(title: string, work: () => Promise<readonly string[]>): Promise<void> {
  console.log(`\n== ${title}`);
  const started = performance.now();
  const failures = await work();
  if (failures.length > 0) {
    console.error(`\n${title}: failed (${failures.join('\n  ')})`);
    process.exit(1);
  }
  console.log(`== ${title}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

async function command(title: string, file: string, args: readonly string[]): Promise<void> {
  await step(title, async () => {
    const reason = await runCommand(file, args);
    return reason === null ? [] : [reason];
  });
}

async function lintAndRules(): Promise<void> {
  await command('lint', bin('biome'), ['check', '--error-on-warnings']);
  const checks = globSync('tools/check-*.ts', { cwd: root }).sort();
  await Promise.all(checks.map((check) => command(check, process.execPath, [check])));
}

if (patterns.length === 0) {
  // With the default number of threads each checks the same types of our dependencies again: almost three times the work.
  await Promise.all([command('types', bin('tsc'), ['--noEmit', '--singleThreaded']), lintAndRules()]);
}
const files = globSync('{packages,apps,tests,tools,bench,gauntlet}/**/*.test.ts', {
  cwd: root,
  exclude: (path) => path === 'node_modules',
})
  .filter((path) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)))
  .sort()
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
await step('tests', async () =>
  files.length === 0
    ? [`no path of a test file contains ${patterns.join(' or ')}`]
    : await runTests({ root, files, setUp: join(root, 'tests', 'global-setup.ts') }),
);
