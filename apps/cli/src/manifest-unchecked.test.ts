import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../test/captured-terminal.ts';

const ENDPOINT = 'https://blue.agent.example.com';
const FORMS = {
  'helm.yaml':
    'delegateName: d1\naccountId: acc-1\nmanagerEndpoint: https://manager.example.com\ndelegateDockerImage: registry.example.com/delegate:25.09.86700\n',
  'helm.sh': 'helm upgrade -i d1 harness/delegate --set managerEndpoint=https://manager.example.com\n',
  'run.sh':
    'docker run -e DELEGATE_NAME=d1 -e MANAGER_HOST_AND_PORT=https://manager.example.com registry.example.com/delegate:25.09.86700\n',
  'compose.yaml':
    'services:\n  d1:\n    image: registry.example.com/delegate:25.09.86700\n    environment:\n      - DELEGATE_NAME=d1\n      - MANAGER_HOST_AND_PORT=https://manager.example.com\n',
  'kubernetes.yaml':
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d1}\nspec:\n  template:\n    spec:\n      containers:\n      - name: delegate\n        image: registry.example.com/delegate:25.09.86700\n        env:\n        - {name: MANAGER_HOST_AND_PORT, value: "https://manager.example.com"}\n',
};

const folder = mkdtempSync(join(tmpdir(), 'sallyport-unchecked-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
const manifest = (...args: string[]) => runCommand(['manifest', ...args], { now: Date.now() });
const pair = ['--certificate', at('client.crt'), '--key', at('client.key')];

before(async () => {
  for (const [name, text] of Object.entries(FORMS)) writeFileSync(at(name), text);
  for (const args of [
    ['ca', '--name', 'ca', '--out', at('ca')],
    ['client', '--name', 'd1', '--ca', at('ca.crt'), '--ca-key', at('ca.key'), '--out', at('client')],
  ]) {
    const { exit, stderr } = await runCommand(['cert', ...args, '--key-type', 'ec-p256'], { now: Date.now() });
    assert.equal(exit, 0, stderr);
  }
});

const UNCHECKED = /not checked against any CA.*--ca FILE.*sallyport login/;

for (const name of Object.keys(FORMS)) {
  test(`migrating ${name} says that no CA checked the certificate, and how to have it checked`, async () => {
    const args = ['migrate', at(name), '--endpoint', ENDPOINT, ...pair];
    const alone = await manifest(...args);
    assert.equal(alone.exit, 0, alone.stderr);
    assert.match(alone.stderr, UNCHECKED);
    assert.equal(alone.stderr.match(/not checked against any CA/g)?.length, 1, 'once');
    const { warnings } = JSON.parse((await manifest(...args, '--json')).stdout);
    assert.ok(warnings.some(({ code }: { code: string }) => code === 'CERTIFICATE_UNCHECKED'));
    const checked = await manifest(...args, '--ca', at('ca.crt'));
    assert.equal(checked.exit, 0, checked.stderr);
    assert.doesNotMatch(checked.stderr, /not checked/);
  });
}

test('migrating again, with the certificate in the file, still says that no CA checked it; so does check', async () => {
  const file = at('again.yaml');
  writeFileSync(file, FORMS['kubernetes.yaml']);
  assert.equal((await manifest('migrate', file, '--endpoint', ENDPOINT, ...pair, '--write')).exit, 0);
  const again = await manifest('migrate', file, '--endpoint', ENDPOINT);
  assert.match(again.stdout, /^Nothing to do/);
  assert.match(again.stderr, UNCHECKED);
  assert.match((await manifest('check', file)).stdout, /note +CERTIFICATE_UNCHECKED/);
  assert.doesNotMatch((await manifest('check', file, '--ca', at('ca.crt'))).stdout, /UNCHECKED/);
});

const generate = (...args: string[]) =>
  manifest(
    ...['generate', '--name', 'd1', '--account', 'acc-1', '--image', 'registry.example.com/delegate:25.09.86700'],
    ...['--endpoint', ENDPOINT, '--token-secret', 'd1-token', ...args],
  );

test('generating says so too, and makes the folder of --out', async () => {
  const out = join(folder, 'new', 'folder');
  const made = await generate(...pair, '--out', out);
  assert.equal(made.exit, 0, made.stderr);
  assert.match(made.stderr, UNCHECKED);
  assert.match(readFileSync(join(out, 'harness-delegate.yaml'), 'utf8'), /kind: Deployment/);
  assert.doesNotMatch((await generate(...pair, '--ca', at('ca.crt'))).stderr, /not checked/);
});

test('an --out that cannot be made is named', async () => {
  const refused = await generate('--secret', 's', '--out', join(at('helm.sh'), 'below'));
  assert.equal(refused.exit, 2);
  assert.match(refused.stderr, /^error: The folder .*below cannot be made \(ENOTDIR\)/m);
});

test('check says that it found no delegate: as text, as JSON and as SARIF', async () => {
  const file = at('service.yaml');
  writeFileSync(file, 'apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n');
  const text = await manifest('check', file);
  assert.equal(text.exit, 0, text.stderr);
  assert.match(text.stdout, /1:1 +warning +NO_DELEGATE[\s\S]*No delegate was found in this file/);
  const [finding] = JSON.parse((await manifest('check', file, '--json')).stdout);
  assert.deepEqual([finding.code, finding.line, finding.fixable], ['NO_DELEGATE', 1, false]);
  const [result] = JSON.parse((await manifest('check', file, '--sarif')).stdout).runs[0].results;
  assert.deepEqual([result.ruleId, result.level], ['NO_DELEGATE', 'warning']);
  assert.match((await manifest('check', file, '--fix')).stdout, /NO_DELEGATE/);
});

test('a choice between several delegates names the option', async () => {
  const file = at('two.yaml');
  writeFileSync(file, `${FORMS['kubernetes.yaml']}---\n${FORMS['kubernetes.yaml'].replace('d1', 'd2')}`);
  const refused = await manifest('migrate', file, '--endpoint', ENDPOINT, '--secret', 's');
  assert.equal(refused.exit, 1);
  assert.match(
    refused.stderr,
    /several delegates: "d1" \(line 1\), "d2" \(line 13\)\. .*--delegate NAME[\s\S]*remedy: Nothing was written\. Run the command again with --delegate NAME, NAME/,
  );
});
