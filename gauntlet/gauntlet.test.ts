// Among the first: takes as long as a dozen others.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Children } from '../bench/process/children.ts';
import { CASES } from './cases/index.ts';
import { runCases } from './run.ts';
import { SallyportTarget } from './targets/sallyport.ts';
import { newServerIdentity } from './targets/server-identity.ts';

// Node's client warns that an IP address is no server name; that is why it is sent here.
process.noDeprecation = true;

test('every case has an id of its own, and there are at least eighty', () => {
  assert.equal(new Set(CASES.map(({ id }) => id)).size, CASES.length);
  assert.ok(CASES.length >= 80, String(CASES.length));
});

test('Sallyport holds in every case of the gauntlet', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-gauntlet-'));
  const children = new Children();
  t.after(async () => {
    await children.stopAll();
    rmSync(folder, { recursive: true, force: true });
  });
  const server = await newServerIdentity();
  const target = await SallyportTarget.start(children, server, join(folder, 'sallyport'));
  const results = await runCases(target, CASES, server, folder, false);
  const failed = results.filter(({ outcome }) => outcome.verdict === 'fail');
  assert.deepEqual(
    failed.map((result) => `${result.case.id}: ${result.outcome.evidence}`),
    [],
  );
});
