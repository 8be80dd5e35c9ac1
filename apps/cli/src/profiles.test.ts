import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runCommand } from '../test/captured-terminal.ts';
import { readProfiles, removeProfile, writeProfile } from './profiles.ts';

const profile = { url: 'https://127.0.0.1:7443', key: 'sat.id.secret' };

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  t.after(() => rm(path, { recursive: true }));
  return join(path, 'config');
}

test('a missing file is an empty set', async (t) => {
  const stored = await readProfiles(await folder(t));
  assert.equal(stored.profiles.size, 0);
  assert.equal(stored.current, null);
});

test('the profile written last is the current one, and the others stay', async (t) => {
  const directory = await folder(t);
  await writeProfile(directory, 'first', { ...profile, caFile: '/ca.crt', account: 'acme' });
  await writeProfile(directory, 'second', profile);
  const stored = await readProfiles(directory);
  assert.equal(stored.current, 'second');
  assert.deepEqual(stored.profiles.get('first'), { ...profile, caFile: '/ca.crt', account: 'acme' });
  assert.deepEqual(stored.profiles.get('second'), profile);
});

test('file and folder are for the owner only, and nothing is left beside the file', async (t) => {
  const directory = await folder(t);
  const file = await writeProfile(directory, 'demo', profile);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.deepEqual(await readdir(directory), ['profiles.json']);
  assert.equal((await readProfiles(directory)).readableByOthers, false);
});

test('a file that others may read is replaced by one that they may not, not written into', async (t) => {
  const directory = await folder(t);
  const file = await writeProfile(directory, 'demo', profile);
  await chmod(file, 0o644);
  const before = await stat(file);
  assert.equal((await readProfiles(directory)).readableByOthers, true);
  await writeProfile(directory, 'demo', profile);
  const after = await stat(file);
  assert.equal(after.mode & 0o777, 0o600);
  assert.notEqual(after.ino, before.ino);
});

test('a command warns about a profile file that others may read', async (t) => {
  const directory = await folder(t);
  const file = await writeProfile(directory, 'demo', profile);
  await chmod(file, 0o640);
  const { stderr } = await runCommand(['logout'], { environment: { SALLYPORT_CONFIG_DIR: directory } });
  assert.match(stderr, new RegExp(`warning: ${file} holds API keys and other users can read it: run chmod 600`));
});

test('a removed profile is gone, and so is the choice of it', async (t) => {
  const directory = await folder(t);
  await writeProfile(directory, 'keep', profile);
  await writeProfile(directory, 'demo', profile);
  assert.equal(await removeProfile(directory, 'demo'), true);
  assert.equal(await removeProfile(directory, 'demo'), false);
  const stored = await readProfiles(directory);
  assert.equal(stored.current, null);
  assert.deepEqual([...stored.profiles.keys()], ['keep']);
});

test('a damaged file stops the command, names itself, and none of the keys in it is shown', async (t) => {
  const directory = await folder(t);
  const file = await writeProfile(directory, 'demo', profile);
  for (const text of [
    '{"profiles": {"demo": {"key": sat.id.secret',
    '[]',
    '{"profiles":{"demo":{"key":"sat.id.secret"}}}',
    '{"profiles":{},"current":1}',
  ]) {
    await writeFile(file, text);
    await assert.rejects(readProfiles(directory), (error: Error) => {
      assert.ok(error.message.includes(file), error.message);
      assert.ok(!`${JSON.stringify(error)} ${error.message}`.includes('sat.id'), error.message);
      return true;
    });
    assert.equal(await readFile(file, 'utf8'), text);
  }
});

test('a profile name cannot be a path or a property of every object', async (t) => {
  const directory = await folder(t);
  for (const name of ['', '../x', 'a b', '__proto__', 'x'.repeat(65)]) {
    await assert.rejects(writeProfile(directory, name, profile), { exit: 2 }, name);
  }
});
