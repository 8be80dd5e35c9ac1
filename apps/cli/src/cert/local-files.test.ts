import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CliError } from '../errors.ts';
import { readLocalFile, refuseExisting, writeLocalFiles } from './local-files.ts';

function folderOf(t: TestContext): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-files-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}

const pair = (at: (name: string) => string) => [
  { path: at('client.crt'), text: 'certificate\n', secret: false },
  { path: at('client.key'), text: 'key\n', secret: true },
];

const refused = (code: string, part: RegExp) => (error: unknown) =>
  error instanceof CliError && error.code === code && part.test(error.message);

test('a link that leads nowhere is there: it is not written through, and nothing of the pair is left behind', async (t) => {
  const at = folderOf(t);
  symlinkSync(at('elsewhere'), at('client.key'));
  await assert.rejects(
    refuseExisting([at('client.crt'), at('client.key')], false),
    refused('FILE_EXISTS', /client.key/),
  );
  await assert.rejects(writeLocalFiles(pair(at), false), refused('FILE_EXISTS', /client\.key exists/));
  assert.deepEqual(readdirSync(at('')), ['client.key']);
});

test('what appears between the look and the writing is not overwritten, and what was put in place goes again', async (t) => {
  const at = folderOf(t);
  // The second file takes the place of the first: nothing was there when both were looked at.
  const both = [pair(at)[0], pair(at)[0]].flatMap((file) => (file === undefined ? [] : [file]));
  await assert.rejects(writeLocalFiles(both, false), refused('FILE_EXISTS', /client\.crt exists/));
  assert.deepEqual(readdirSync(at('')), []);
});

test('with --force a link is replaced and what it leads to stays, and a folder in the way changes nothing', async (t) => {
  const at = folderOf(t);
  writeFileSync(at('precious'), 'precious\n');
  symlinkSync(at('precious'), at('client.key'));
  await writeLocalFiles(pair(at), true);
  assert.equal(readFileSync(at('precious'), 'utf8'), 'precious\n');
  assert.ok(lstatSync(at('client.key')).isFile());
  rmSync(at('client.key'));
  writeFileSync(at('client.crt'), 'old\n');
  mkdirSync(at('client.key'));
  await assert.rejects(writeLocalFiles(pair(at), true), refused('USAGE', /client\.key is a folder/));
  assert.equal(readFileSync(at('client.crt'), 'utf8'), 'old\n');
  assert.deepEqual(readdirSync(at('')).sort(), ['client.crt', 'client.key', 'precious']);
});

test('a folder that is not there is named, and a key is 0600 whatever the umask says', async (t) => {
  const at = folderOf(t);
  const nowhere = pair((name) => at(`missing/${name}`));
  await assert.rejects(writeLocalFiles(nowhere, false), refused('USAGE', /cannot be written \(ENOENT\)/));
  assert.ok(!existsSync(at('missing')));
  for (const umask of [0o000, 0o277]) {
    const before = process.umask(umask);
    try {
      await writeLocalFiles(pair(at), true);
    } finally {
      process.umask(before);
    }
    assert.equal(statSync(at('client.key')).mode & 0o777, 0o600, umask.toString(8));
  }
});

test('a file without an end is given up, and a small one is read whole', async (t) => {
  const at = folderOf(t);
  await assert.rejects(readLocalFile('/dev/zero'), refused('USAGE', /is larger than 1048576 bytes/));
  writeFileSync(at('large'), Buffer.alloc(1_048_577));
  await assert.rejects(readLocalFile(at('large')), refused('USAGE', /is larger than/));
  await assert.rejects(readLocalFile(at('')), refused('USAGE', /cannot be read \(EISDIR\)/));
  writeFileSync(at('whole'), Buffer.alloc(1_048_576, 7));
  assert.equal((await readLocalFile(at('whole'))).length, 1_048_576);
  assert.equal((await readLocalFile('/dev/null')).length, 0);
});

test('a named pipe is refused before it is opened, for nobody may ever write into it', async (t) => {
  const at = folderOf(t);
  execFileSync('mkfifo', [at('pipe')]);
  await assert.rejects(readLocalFile(at('pipe')), refused('USAGE', /pipe is a named pipe, not a file/));
});

test('the content of a key in the place of its path is not repeated', async () => {
  const content = `-----BEGIN PRIVATE KEY-----\nabc`;
  await assert.rejects(readLocalFile(content), refused('USAGE', /^A path was expected/));
});
