// `npm run bench`: server CPU, memory and reaction time, side by side with what else is installed. See README.md.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench, Case } from './bench.ts';
import { handshake } from './cases/handshake.ts';
import { heartbeat } from './cases/heartbeat.ts';
import { logs } from './cases/logs.ts';
import { memory } from './cases/memory.ts';
import { trustChange } from './cases/trust-change.ts';
import { makeCertificates } from './certificates.ts';
import { Children } from './process/children.ts';
import { type Comparison, table } from './report.ts';

const CASES: readonly Case[] = [handshake, heartbeat, memory, trustChange, logs];

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string', multiple: true, default: [] } },
});
const unknown = options.only.filter((name) => !CASES.some((known) => known.name === name));
if (unknown.length > 0) {
  console.error(`--only ${unknown.join(', ')}: there are ${CASES.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
if (process.platform !== 'linux') {
  console.error(`CPU and memory are read from /proc, which ${process.platform} does not have: run the bench on Linux.`);
  process.exit(1);
}

const children = new Children();
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
const say = (text: string) => void process.stderr.write(`  ${text}\n`);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const comparisons: Comparison[] = [];
const failures: string[] = [];
const certificates = await makeCertificates(join(folder, 'certificates'));
for (const one of CASES.filter(({ name }) => options.only.length === 0 || options.only.includes(name))) {
  process.stderr.write(`${one.title}\n`);
  const own = join(folder, one.name);
  mkdirSync(own);
  const bench: Bench = { children, certificates, folder: own, quick: options.quick, say };
  try {
    comparisons.push(...(await one.run(bench)));
  } catch (error) {
    failures.push(`${one.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  } finally {
    await children.stopAll();
  }
}

if (options.quick) console.log('A quick run: fewer rounds, smaller numbers. Not to be quoted.\n');
console.log(table(comparisons));
for (const failure of failures) console.log(`\nnot measured: ${failure}`);
process.exitCode = failures.length > 0 ? 1 : 0;
