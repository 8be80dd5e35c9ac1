import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { roomInMemory } from './room-in-memory.ts';

test('databases go where there is room that everybody may write to', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-room-'));
  t.after(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, 0o1777);
  assert.equal(roomInMemory(folder, 1), folder);
  assert.equal(roomInMemory(folder, Number.MAX_SAFE_INTEGER), null, 'too little room');
  chmodSync(folder, 0o700);
  assert.equal(roomInMemory(folder, 1), null, 'room of one user');
  assert.equal(roomInMemory(join(folder, 'missing'), 1), null);
});
