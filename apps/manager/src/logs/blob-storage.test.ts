import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { BlobStorage } from './blob-storage.ts';

test('a log on its way into storage has no name: whoever is killed leaves no line of it behind', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-spool-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const storage = await BlobStorage.open({ folder, s3: null, credentials: null });
  const lines = randomBytes(300_000);
  const seen: string[][] = [];
  async function* content(): AsyncGenerator<Buffer> {
    for (let at = 0; at < lines.length; at += 100_000) {
      yield lines.subarray(at, at + 100_000);
      seen.push(readdirSync(join(folder, 'log-spool')));
    }
  }
  const { size, stored } = await storage.put('acme/1', content());
  assert.deepEqual(seen, [[], [], []]);
  assert.equal(size, lines.length);
  assert.ok(stored >= lines.length, 'random bytes do not get smaller');
  assert.deepEqual(await buffer(await storage.get('acme/1')), lines);

  await assert.rejects(storage.put('acme/2', content(), 1_000), { code: 'PAYLOAD_TOO_LARGE' });
  assert.deepEqual(readdirSync(join(folder, 'log-spool')), []);
});
