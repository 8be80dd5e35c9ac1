import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { LocalBus } from '../bus/local-bus.ts';
import { openDatabase } from '../database/open-database.ts';
import { TrustDirectory } from './trust-directory.ts';

// A request names its account, and may name any: whoever invents one after the other must not fill the memory.
test('of accounts without an endpoint the 50,000 asked for last are remembered, and no more', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-directory-'));
  const opened = await openDatabase({ file: join(folder, 'a.db') });
  t.after(async () => {
    await opened.close();
    rmSync(folder, { recursive: true });
  });
  const asked: string[] = [];
  const source = {
    byAccount: async (accountId: string) => {
      asked.push(accountId);
      return null;
    },
    byFqdn: async () => null,
    policyOf: () => Promise.reject(new Error('nobody has an endpoint')),
  };
  const directory = new TrustDirectory(source, new LocalBus(opened.database, pino({ level: 'silent' })));
  for (let index = 0; index <= 50_000; index += 1) await directory.byAccount(`invented-${index}`);
  asked.length = 0;
  await directory.byAccount('invented-50000');
  assert.deepEqual(asked, []);
  await directory.byAccount('invented-0');
  assert.deepEqual(asked, ['invented-0']);
});
