// `npm run gauntlet`: black-box attacks on multi-tenant mTLS endpoints, on Sallyport and on what else is installed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Children } from '../bench/process/children.ts';
import { CASES } from './cases/index.ts';
import { document, type TargetResults, table } from './report.ts';
import { runCases } from './run.ts';
import { TARGETS } from './targets/index.ts';
import { newServerIdentity } from './targets/server-identity.ts';

const { values: options } = parseArgs({
  options: {
    target: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', multiple: true, default: [] },
    write: { type: 'boolean', default: false },
    evidence: { type: 'boolean', default: false },
  },
});
const groups = [...new Set(CASES.map(({ group }) => group))];
const unknownGroups = options.only.filter((only) => !CASES.some((one) => matches(one, only)));
const unknownTargets = options.target.filter((name) => !TARGETS.some(({ key }) => key === name));
if (unknownGroups.length > 0 || unknownTargets.length > 0) {
  const targets = TARGETS.map(({ key }) => key).join(', ');
  console.error(`--target takes ${targets}; --only takes the beginning of an id, or a group: ${groups.join(', ')}`);
  process.exit(2);
}

// Node's client warns that an IP address is no server name; that is why it is sent here.
process.noDeprecation = true;
const children = new Children();
const folder = mkdtempSync(join(tmpdir(), 'sallyport-gauntlet-'));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const cases = CASES.filter((one) => options.only.length === 0 || options.only.some((only) => matches(one, only)));
const all: TargetResults[] = [];
for (const { key, start } of TARGETS) {
  if (options.target.length > 0 && !options.target.includes(key)) continue;
  const server = await newServerIdentity();
  const target = await start(children, server, join(folder, key));
  if (target === null) {
    process.stderr.write(`  ${key}: not installed\n`);
    continue;
  }
  const started = performance.now();
  const results = await runCases(target, cases, server, join(folder, key));
  process.stderr.write(`  ${target.version}: ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
  all.push({ key, version: target.version, results });
  await target.stop();
  await children.stopAll();
}

console.log(table(all, options.evidence));
if (options.write) {
  if (options.only.length > 0 || options.target.length > 0) {
    console.error('--write documents a whole run: leave out --only and --target');
    process.exit(2);
  }
  writeFileSync(join(import.meta.dirname, '..', 'docs', 'gauntlet.md'), document(all, new Date()));
}
const failed = all.some(
  ({ key, results }) => key === 'sallyport' && results.some(({ outcome }) => outcome.verdict === 'fail'),
);
process.exit(failed ? 1 : 0);

function matches(one: { readonly id: string; readonly group: string }, only: string): boolean {
  return one.group === only || one.id.startsWith(only);
}
