import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../test/captured-terminal.ts';

const ENDPOINT = 'https://blue.agent.example.com';
const VALUES =
  'delegateName: d1\naccountId: acc-1\nmanagerEndpoint: https://manager.example.com\ndelegateDockerImage: registry.example.com/delegate:25.09.86700\n';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-rollback-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(at(name), 'utf8');
const manifest = (...args: string[]) => runCommand(['manifest', ...args], { now: Date.now() });

before(async () => {
  for (const args of [
    ['ca', '--name', 'ca', '--out', at('ca')],
    ['client', '--name', 'd1', '--ca', at('ca.crt'), '--ca-key', at('ca.key'), '--out', at('client')],
  ]) {
    const { exit, stderr } = await runCommand(['cert', ...args, '--key-type', 'ec-p256'], { now: Date.now() });
    assert.equal(exit, 0, stderr);
  }
});

/** Helm values, migrated with their Secret. */
async function migrated(name: string): Promise<string> {
  const file = at(name);
  writeFileSync(file, VALUES);
  rmSync(at('d1-client-certificate.yaml'), { force: true });
  const pair = ['--certificate', at('client.crt'), '--key', at('client.key')];
  const { exit, stderr } = await manifest('migrate', file, '--endpoint', ENDPOINT, ...pair, '--write');
  assert.equal(exit, 0, stderr);
  return file;
}

test('a rollback refuses to lose an edit made since the migration, and does so with --force', async () => {
  const file = await migrated('edited.yaml');
  const edited = `${read('edited.yaml')}replicas: 3\n`;
  writeFileSync(file, edited);
  const refused = await manifest('migrate', file, '--rollback');
  assert.equal(refused.exit, 6);
  assert.match(
    refused.stderr,
    /^error: .*edited\.yaml was edited since --write.*\ndetails: FILE_CHANGED\nremedy: .*--rollback --force/,
  );
  assert.equal(read('edited.yaml'), edited);
  assert.equal((await manifest('migrate', file, '--rollback', '--force')).exit, 0);
  assert.equal(read('edited.yaml'), VALUES);
});

test('a rollback whose record is gone refuses, for nobody knows what was edited', async () => {
  const file = await migrated('unrecorded.yaml');
  rmSync(`${file}.sallyport-written`);
  const refused = await manifest('migrate', file, '--rollback');
  assert.equal(refused.exit, 6);
  assert.match(refused.stderr, /nobody knows whether/);
  assert.equal((await manifest('migrate', file, '--rollback', '--force')).exit, 0);
  assert.equal(read('unrecorded.yaml'), VALUES);
});

test('a rollback leaves nothing behind: backup, record and the Secret beside the file are gone', async () => {
  const file = await migrated('whole.yaml');
  assert.ok(existsSync(at('d1-client-certificate.yaml')));
  const { exit, stdout, stderr } = await manifest('migrate', file, '--rollback');
  assert.equal(exit, 0, stderr);
  assert.match(stdout, /^Rolled back .*whole\.yaml\nRemoved .*d1-client-certificate\.yaml\n$/);
  for (const name of ['whole.yaml.sallyport-backup', 'whole.yaml.sallyport-written', 'd1-client-certificate.yaml'])
    assert.equal(existsSync(at(name)), false, name);
});

test('a rollback leaves a Secret that somebody has changed, and a file that the record should not name', async () => {
  const file = await migrated('kept.yaml');
  writeFileSync(at('d1-client-certificate.yaml'), 'mine now');
  writeFileSync(at('elsewhere.txt'), 'x');
  const digest = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881'; // of "x"
  const record = `${file}.sallyport-written`;
  writeFileSync(record, `${readFileSync(record, 'utf8')}${digest}  ./elsewhere.txt\n`);
  const { exit, stderr } = await manifest('migrate', file, '--rollback');
  assert.equal(exit, 0, stderr);
  assert.match(stderr, /d1-client-certificate\.yaml was changed since the migration made it, and stays/);
  assert.equal(read('d1-client-certificate.yaml'), 'mine now');
  assert.equal(read('elsewhere.txt'), 'x');
});

test('a file that is gone, and one that was never written, roll back without being asked twice', async () => {
  const gone = await migrated('gone.yaml');
  rmSync(gone);
  assert.equal((await manifest('migrate', gone, '--rollback')).exit, 0);
  assert.equal(read('gone.yaml'), VALUES);
  writeFileSync(`${gone}.sallyport-backup`, VALUES);
  assert.equal((await manifest('migrate', gone, '--rollback')).exit, 0);
});
