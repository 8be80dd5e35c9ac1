// `npm run gauntlet:defences`: takes one defence after the other out of a running manager, and sees which cases fail then.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Children } from '../../bench/process/children.ts';
import { CASES } from '../cases/index.ts';
import { runCases } from '../run.ts';
import { SallyportTarget } from '../targets/sallyport.ts';
import { newServerIdentity } from '../targets/server-identity.ts';
import { DEFENCES } from './defences.ts';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !DEFENCES.some((defence) => defence.name === name));
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${DEFENCES.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

process.noDeprecation = true;
const children = new Children();
const folder = mkdtempSync(join(tmpdir(), 'sallyport-defences-'));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const unnoticed: string[] = [];
for (const { name, what, cases } of DEFENCES.filter((one) => wanted.length === 0 || wanted.includes(one.name))) {
  const server = await newServerIdentity();
  const target = await SallyportTarget.start(children, server, join(folder, name), name);
  const chosen = CASES.filter(({ id }) => cases.some((beginning) => id.startsWith(beginning)));
  const results = await runCases(target, chosen, server, join(folder, name), false);
  await children.stopAll();
  const failed = results.filter(({ outcome }) => outcome.verdict === 'fail');
  console.log(`${name}: without "${what}", ${failed.length} of ${chosen.length} cases fail`);
  for (const { case: one, outcome } of failed) console.log(`    ${one.id}: ${outcome.evidence}`);
  if (failed.length === 0) unnoticed.push(name);
}
if (unnoticed.length > 0) console.log(`\nno case noticed that these were gone: ${unnoticed.join(', ')}`);
process.exit(unnoticed.length > 0 ? 1 : 0);
