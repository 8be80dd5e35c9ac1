import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../test/captured-terminal.ts';
import { readManifestFile, replaceKeepingBackup } from './manifest/manifest-file.ts';

const ENDPOINT = 'https://blue.agent.example.com';
const BACKUP = 'sallyport-backup';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-manifest-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(at(name), 'utf8');
const now = Date.now();
const manifest = (...args: string[]) => runCommand(['manifest', ...args], { now });
const credentials = (name: string) => ['--certificate', at(`${name}.crt`), '--key', at(`${name}.key`)];

/** Writes a manifest under a name of its own, so that no test sees another one's. */
function given(name: string, text = delegate()): string {
  writeFileSync(at(name), text);
  return at(name);
}

before(async () => {
  const made = async (...args: string[]) => {
    const { exit, stderr } = await runCommand(['cert', ...args, '--key-type', 'ec-p256'], { now });
    assert.equal(exit, 0, stderr);
  };
  for (const ca of ['ca', 'other-ca']) await made('ca', '--name', ca, '--out', at(ca));
  for (const [name, ca] of [
    ['client', 'ca'],
    ['another', 'ca'],
    ['stranger', 'other-ca'],
  ]) {
    const signing = ['--ca', at(`${ca}.crt`), '--ca-key', at(`${ca}.key`)];
    await made('client', '--name', 'd1', ...signing, '--out', at(`${name}`));
  }
});

test('migrate prints the diff and writes nothing, and no private key gets into the diff', async () => {
  const file = given('dry.yaml');
  const { exit, stdout, stderr } = await manifest('migrate', file, '--endpoint', ENDPOINT, ...credentials('client'));
  assert.equal(exit, 0, stderr);
  assert.match(stdout, /^--- a\/dry\.yaml\n\+\+\+ b\/dry\.yaml\n@@ /);
  assert.match(stdout, /^\+ {10}value: .*https:\/\/blue\.agent\.example\.com/m);
  assert.match(stdout, /^\+ {2}client\.key: <PRIVATE KEY HIDDEN>$/m);
  assert.ok(!stdout.includes(Buffer.from(read('client.key')).toString('base64')));
  assert.match(stderr, /Nothing was written: --write changes the file/);
  assert.equal(read('dry.yaml'), delegate());
  assert.equal(existsSync(`${file}.${BACKUP}`), false);
});

test('no token and no password gets into the diff or the report, in whatever form it stands in the file', async () => {
  const token = '00112233445566778899aabbccddeeff';
  const encoded = Buffer.from(token).toString('base64');
  const run = (value: string) =>
    `docker run -e DELEGATE_NAME=d1 -e ACCOUNT_ID=a -e DELEGATE_TOKEN=${value} -e PROXY_PASSWORD='s3cret word' -e MANAGER_HOST_AND_PORT=https://m.example.com r/delegate:25.09.86700\n`;
  const values = (value: string) =>
    `delegateName: d1\ndelegateToken: "${value}"\nmanagerEndpoint: https://m.example.com\n`;
  for (const [index, text] of [run(token), run(encoded), values(token), values(encoded)].entries()) {
    const file = given(`token-${index}`, text);
    for (const more of [[], ['--json']]) {
      const where = index < 2 ? ['--host-folder', '/srv'] : ['--secret', 's'];
      const { exit, stdout, stderr } = await manifest('migrate', file, '--endpoint', ENDPOINT, ...where, ...more);
      assert.equal(exit, 0, stderr);
      for (const secret of [token, encoded, 's3cret']) assert.ok(!(stdout + stderr).includes(secret), stdout);
      assert.match(stdout, /<TOKEN HIDDEN>/);
    }
  }
});

test('--write migrates and keeps a backup, --rollback restores every byte and the rights', async () => {
  const before = `\uFEFF${delegate().replaceAll('\n', '\r\n')}`;
  const file = given('written.yaml', before);
  chmodSync(file, 0o644);
  const written = await manifest('migrate', file, '--endpoint', ENDPOINT, ...credentials('client'), '--write');
  assert.equal(written.exit, 0, written.stderr);
  assert.ok(read('written.yaml').includes(Buffer.from(read('client.key')).toString('base64')));
  assert.equal(statSync(file).mode & 0o777, 0o600, 'the file holds a private key now');
  assert.equal(read(`written.yaml.${BACKUP}`), before);

  const rolledBack = await manifest('migrate', file, '--rollback');
  assert.equal(rolledBack.exit, 0, rolledBack.stderr);
  assert.equal(read('written.yaml'), before);
  assert.equal(statSync(file).mode & 0o777, 0o644);
  const again = await manifest('migrate', file, '--rollback');
  assert.equal(again.exit, 5);
  assert.match(again.stderr, /^error: There is no .*\ndetails: NO_BACKUP\nremedy: /);
});

test('migrating a migrated file changes nothing and leaves its backup alone', async () => {
  const file = given('twice.yaml');
  const migrate = () =>
    manifest('migrate', file, '--endpoint', ENDPOINT, ...credentials('client'), '--write', '--json');
  const first = JSON.parse((await migrate()).stdout);
  assert.deepEqual([first.changed, first.written], [true, true]);
  const migrated = read('twice.yaml');
  const second = await migrate();
  assert.equal(second.exit, 0, second.stderr);
  const { changed, written, diff, backup } = JSON.parse(second.stdout);
  assert.deepEqual({ changed, written, diff, backup }, { changed: false, written: false, diff: '', backup: null });
  assert.equal(read('twice.yaml'), migrated);
  assert.equal(read(`twice.yaml.${BACKUP}`), delegate());
});

test('a backup of another version is overwritten with --force only', async () => {
  const file = given('kept.yaml');
  given(`kept.yaml.${BACKUP}`, 'from long ago');
  const args = ['migrate', file, '--endpoint', ENDPOINT, '--secret', 'd1-mtls', '--write'];
  const refused = await manifest(...args);
  assert.equal(refused.exit, 6);
  assert.match(refused.stderr, /holds another version/);
  assert.deepEqual([read('kept.yaml'), read(`kept.yaml.${BACKUP}`)], [delegate(), 'from long ago']);
  assert.equal((await manifest(...args, '--force')).exit, 0);
  assert.equal(read(`kept.yaml.${BACKUP}`), delegate());
});

test('what was saved while the command ran is neither overwritten nor lost', async () => {
  const file = await readManifestFile(given('raced.yaml'));
  writeFileSync(file.path, 'saved meanwhile');
  await assert.rejects(
    replaceKeepingBackup(file, 'migrated', { force: true, confidential: false }),
    /was changed while/,
  );
  rmSync(file.path);
  await assert.rejects(
    replaceKeepingBackup(file, 'migrated', { force: true, confidential: false }),
    /was removed while/,
  );
  assert.equal(existsSync(`${file.path}.${BACKUP}`), false);
});

test('a backup that is a link is not put in the place of the file', async () => {
  const file = given('linked.yaml');
  symlinkSync(given('secret.txt', 'of somebody else'), `${file}.${BACKUP}`);
  const { exit, stderr } = await manifest('migrate', file, '--rollback');
  assert.equal(exit, 6);
  assert.match(stderr, /is not a file of its own/);
  assert.equal(read('linked.yaml'), delegate());
});

test('a link to a manifest stays a link: the file behind it is migrated and rolled back', async () => {
  const file = given('real.yaml');
  symlinkSync(file, at('link.yaml'));
  const args = ['--endpoint', ENDPOINT, '--secret', 'd1-mtls', '--write'];
  assert.equal((await manifest('migrate', at('link.yaml'), ...args)).exit, 0);
  assert.equal(readFileSync(at('link.yaml'), 'utf8'), read('real.yaml'));
  assert.notEqual(read('real.yaml'), delegate());
  assert.equal((await manifest('migrate', at('link.yaml'), '--rollback')).exit, 0);
  assert.equal(read('real.yaml'), delegate());
});

test('a refusal has three parts with the line and the reason, ends with 1 and writes nothing', async () => {
  const text = delegate().replace('25.09.86700', 'latest');
  const line = text.split('\n').findIndex((each) => each.includes('image:')) + 1;
  const file = given('latest.yaml', text);
  const refused = await manifest('migrate', file, '--endpoint', ENDPOINT, '--secret', 'd1-mtls', '--write');
  assert.equal(refused.exit, 1);
  const [error = '', details = '', remedy = ''] = refused.stderr.split('\n');
  assert.match(error, new RegExp(`^error: line ${line}: .*latest`));
  assert.match(details, new RegExp(`^details: IMAGE_NOT_IMMUTABLE, .*latest\\.yaml:${line}:`));
  assert.match(remedy, new RegExp(`^remedy: Nothing was written\\. .* line ${line}`));
  assert.equal(read('latest.yaml'), text);
  assert.equal(existsSync(`${file}.${BACKUP}`), false);
});

test('refuses a key of another certificate', async () => {
  const mixed = ['--certificate', at('client.crt'), '--key', at('another.key')];
  const refused = await manifest('migrate', given('mixed.yaml'), '--endpoint', ENDPOINT, ...mixed);
  assert.equal(refused.exit, 1);
  assert.match(refused.stderr, /details: KEY_MISMATCH/);
});

test("with --ca, refuses a certificate that the gateway would refuse; the CA's own passes", async () => {
  const file = given('verdict.yaml');
  const verdict = (name: string) =>
    manifest('migrate', file, '--endpoint', ENDPOINT, ...credentials(name), '--ca', at('ca.crt'));
  const refused = await verdict('stranger');
  assert.equal(refused.exit, 1);
  assert.match(refused.stderr, /The endpoint would refuse this client certificate: .*\ndetails: CERTIFICATE_REFUSED\n/);
  assert.equal((await verdict('client')).exit, 0);
});

test('refuses an expired certificate without knowing the CA', async () => {
  const file = given('expired.yaml');
  const args = ['manifest', 'migrate', file, '--endpoint', ENDPOINT, ...credentials('client')];
  const refused = await runCommand(args, { now: now + 400 * 86_400_000 });
  assert.equal(refused.exit, 1);
  assert.match(refused.stderr, /details: CERTIFICATE_REFUSED/);
});

test('wrong usage ends with 2: no endpoint, half a pair, an address for an endpoint, a file that is not UTF-8', async () => {
  const file = given('usage.yaml');
  for (const [args, message] of [
    [[], /--endpoint <url> is missing/],
    [['--endpoint', ENDPOINT, '--certificate', at('client.crt')], /--key <file> is missing/],
    [['--endpoint', 'https://10.0.0.1', '--secret', 'd1-mtls'], /IP address/],
  ] as const) {
    const { exit, stderr } = await manifest('migrate', file, ...args);
    assert.equal(exit, 2, stderr);
    assert.match(stderr, message);
  }
  writeFileSync(file, Buffer.from([0x61, 0xff, 0x0a]));
  assert.match((await manifest('migrate', file, '--endpoint', ENDPOINT)).stderr, /is not UTF-8/);
});

test('Helm values get their Secret as a file beside them, for its owner only, and only once', async () => {
  const file = given(
    'values.yaml',
    'delegateName: d1\naccountId: acc-1\nmanagerEndpoint: https://manager.example.com\ndelegateDockerImage: registry.example.com/delegate:25.09.86700\n',
  );
  const args = ['migrate', file, '--endpoint', ENDPOINT, ...credentials('client'), '--write', '--json'];
  const first = await manifest(...args);
  assert.equal(first.exit, 0, first.stderr);
  assert.match(read('values.yaml'), /secretName: d1-client-certificate/);
  const [companion] = JSON.parse(first.stdout).companions;
  assert.equal(statSync(at(companion.path)).mode & 0o777, 0o600);
  assert.equal(JSON.parse((await manifest(...args)).stdout).written, false);
});

test('check finds nothing in a migrated file and ends with 0', async () => {
  const file = given('fine.yaml');
  await manifest('migrate', file, '--endpoint', ENDPOINT, ...credentials('client'), '--write');
  const { exit, stdout } = await manifest('check', file, '--ca', at('ca.crt'), '--mode', 'strict');
  assert.equal(exit, 0, stdout);
  assert.doesNotMatch(stdout, / error /);
});

test('check names line, code, message and remedy of every mistake, whole on a narrow terminal, and ends with 1', async () => {
  const file = given('strict.yaml');
  const { exit, stdout } = await runCommand(['manifest', 'check', file, '--mode', 'strict'], { now, columns: 60 });
  assert.equal(exit, 1);
  assert.match(stdout, /^.*LINE +SEVERITY +CODE +--FIX/);
  assert.match(
    stdout,
    /^\d+:\d+ +error +PLAIN_ENDPOINT_STRICT +-\n {2}"d1" has no client certificate, and the account is STRICT: its connections are refused\.\n {2}Migrate this file/m,
  );
  assert.equal((await manifest('check', file)).exit, 0, 'a plain delegate is none of our business otherwise');
});

test("check finds the gateway's refusal, and a key of another certificate, inside a Secret", async () => {
  const file = given('inside.yaml');
  await manifest('migrate', file, '--endpoint', ENDPOINT, ...credentials('stranger'), '--write');
  const codes = async (...args: string[]): Promise<string[]> =>
    JSON.parse((await manifest('check', file, '--json', ...args)).stdout).map(({ code }: { code: string }) => code);
  assert.ok(!(await codes()).includes('CERTIFICATE_REFUSED'), 'without the bundle nobody knows');
  assert.ok((await codes('--ca', at('ca.crt'))).includes('CERTIFICATE_REFUSED'));
  const base64 = (name: string) => Buffer.from(read(name)).toString('base64');
  given('inside.yaml', read('inside.yaml').replace(base64('stranger.key'), base64('another.key')));
  assert.ok((await codes()).includes('KEY_MISMATCH'));
});

test('check --fix prints the diff; with --write it mends the file, and --rollback of migrate undoes it', async () => {
  const file = given('decimal.yaml');
  await manifest('migrate', file, '--endpoint', ENDPOINT, '--secret', 'd1-mtls', '--write');
  rmSync(`${file}.${BACKUP}`);
  const broken = read('decimal.yaml').replace(/mountPath: "?\/etc\/mtls"?/, '$&\n          value: x');
  given('decimal.yaml', broken);
  const shown = await manifest('check', file, '--fix');
  assert.match(shown.stdout, /^-.*value: x$/m);
  assert.equal(read('decimal.yaml'), broken);
  const mended = await manifest('check', file, '--fix', '--write');
  assert.equal(mended.exit, 0, mended.stdout);
  assert.doesNotMatch(read('decimal.yaml'), /value: x$/m);
  assert.equal((await manifest('migrate', file, '--rollback')).exit, 0);
  assert.equal(read('decimal.yaml'), broken);
  assert.equal((await manifest('check', file, '--write')).exit, 2);
});

test('check --sarif prints a log that names file, rule, level and place', async () => {
  const { exit, stdout } = await manifest('check', given('scan me.yaml'), '--mode', 'strict', '--sarif');
  assert.equal(exit, 1);
  const { version, runs } = JSON.parse(stdout);
  assert.equal(version, '2.1.0');
  const result = runs[0].results.find(({ ruleId }: { ruleId: string }) => ruleId === 'PLAIN_ENDPOINT_STRICT');
  assert.equal(result.level, 'error');
  assert.equal(runs[0].tool.driver.rules[result.ruleIndex].id, 'PLAIN_ENDPOINT_STRICT');
  const { artifactLocation, region } = result.locations[0].physicalLocation;
  assert.match(artifactLocation.uri, /scan%20me\.yaml$/);
  assert.ok(region.startLine > 10);
});

test('check names the line of what cannot be read, and refuses what is no manifest', async () => {
  const { exit, stderr } = await manifest('check', given('letter.txt', 'Dear all\n'));
  assert.equal(exit, 1);
  assert.match(stderr, /^error: line 1: This is no form of a delegate.*\ndetails: FORM_UNKNOWN/);
});

const newDelegate = (...args: string[]) =>
  manifest(
    ...['generate', '--name', 'edge-1', '--account', 'acme', '--image', 'registry.example.com/delegate:25.09.86700'],
    ...['--endpoint', ENDPOINT, ...args],
  );

test('generate makes a set with mTLS that check finds no error in and migrate has nothing to do for', async () => {
  const args = [...credentials('client'), '--ca', at('ca.crt'), '--token-secret', 'edge-1-token', '--rootless'];
  const { exit, stdout, stderr } = await newDelegate(...args, '--tag', 'blue', '--size', 'small');
  assert.equal(exit, 0, stderr);
  const file = given('generated.yaml', stdout);
  const checked = await manifest('check', file, '--mode', 'strict', '--endpoint', ENDPOINT, '--ca', at('ca.crt'));
  assert.equal(checked.exit, 0, checked.stdout);
  const migrated = await manifest('migrate', file, '--endpoint', ENDPOINT, '--json');
  assert.equal(JSON.parse(migrated.stdout).changed, false, migrated.stdout);
});

test('generate writes several files to --out, those with a key for their owner only, and nothing twice', async () => {
  const out = mkdtempSync(join(folder, 'helm-'));
  const args = ['--form', 'helm', ...credentials('client'), '--token-secret', 'edge-1-token'];
  assert.match((await newDelegate(...args)).stderr, /These are 2 files/);
  const written = await newDelegate(...args, '--out', out, '--json');
  assert.equal(written.exit, 0, written.stderr);
  const files: { file: string; secret: boolean }[] = JSON.parse(written.stdout).files;
  assert.equal(files.length, 2);
  for (const { file, secret } of files) assert.deepEqual([statSync(file).mode & 0o777, secret], [0o600, true]);
  assert.equal((await newDelegate(...args, '--out', out)).exit, 6);
});

test('generate makes the folder of the CA bundle below --out', async () => {
  const out = join(folder, 'docker-ca');
  const bundle = ['--extra-ca', at('ca.crt'), '--host-folder', '/srv/mtls'];
  const { exit, stderr } = await newDelegate('--form', 'docker', ...bundle, '--out', out);
  assert.equal(exit, 0, stderr);
  assert.equal(read('docker-ca/ca-bundle/ca.crt'), read('ca.crt'));
});

test('generate makes docker and compose files that take the certificate from the docker host', async () => {
  for (const form of ['docker', 'compose']) {
    const { exit, stdout, stderr } = await newDelegate('--form', form, '--host-folder', '/srv/mtls');
    assert.equal(exit, 0, stderr);
    assert.match(stdout, /\/srv\/mtls\/client\.key/);
    assert.match(stderr, /Set DELEGATE_TOKEN in the environment/);
  }
  const here = await newDelegate('--form', 'docker', ...credentials('client'));
  assert.ok(here.stdout.includes(at('client.key')), here.stderr);
  assert.ok(!here.stdout.includes('BEGIN'));
});

test('generate refuses a key of another certificate, two sources, an image that moves and a password in --proxy', async () => {
  const mixed = ['--certificate', at('client.crt'), '--key', at('another.key')];
  for (const [args, wanted, message] of [
    [mixed, 1, /details: KEY_MISMATCH/],
    [['--secret', 'a', '--issuer', 'b'], 2, /more than one source/],
    [['--secret', 'a', '--image', 'registry.example.com/delegate:latest'], 1, /details: IMAGE_NOT_IMMUTABLE/],
    [['--secret', 'a', '--proxy', 'http://me:hunter2@proxy:3128'], 2, /--proxy holds a password/],
    [['--secret', 'A B'], 2, /lower case letters/],
    [['--secret', 'a', '--account', ''], 2, /is no account id/],
  ] as const) {
    const { exit, stderr, stdout } = await newDelegate('--token-secret', 'edge-1-token', ...args);
    assert.equal(exit, wanted, stderr || args.join(' '));
    assert.match(stderr, message);
    assert.equal(stdout, '');
    assert.ok(!stderr.includes('hunter2'));
  }
});

function delegate(): string {
  return `# The agent of the blue team
apiVersion: v1
kind: Secret
metadata:
  name: d1-account-token
  namespace: harness-delegate-ng
type: Opaque
data:
  DELEGATE_TOKEN: "ZXhhbXBsZQ=="
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: d1
  namespace: harness-delegate-ng
spec:
  selector:
    matchLabels:
      app: d1
  template:
    metadata:
      labels:
        app: d1
    spec:
      containers:
      - image: registry.example.com/delegate:25.09.86700 # pinned
        name: delegate
        envFrom:
        - secretRef:
            name: d1-account-token
        env:
        - name: ACCOUNT_ID
          value: acc-1
        - name: DELEGATE_NAME
          value: d1
        - name: MANAGER_HOST_AND_PORT
          value: 'https://manager.example.com'
        - name: LOG_STREAMING_SERVICE_URL
          value: https://manager.example.com/log-service/
`;
}
