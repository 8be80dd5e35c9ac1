import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { generate, migrate, readManifest } from '../src/index.ts';
import { DiscoveryServer } from './discovery-server.ts';
import { goldenCases, kubernetesResults } from './golden-cases.ts';
import { nameOf, objectsIn } from './plain-objects.ts';

const endpoint = 'https://blue.agent.example.com:8443';
const missing = spawnSync('kubectl', ['version', '--client']).error ? 'kubectl is not installed' : false;

describe('kubectl apply --dry-run=client', () => {
  test('accepts every object of every migrated and generated manifest', { skip: missing }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'manifest-'));
    const server = await DiscoveryServer.start();
    try {
      const cases = [...goldenCases('migrate'), ...goldenCases('generate'), ...goldenCases('fix')];
      // kubectl takes no %YAML directive, in the manifest as it was neither.
      const texts = cases.filter(({ input }) => !/^%YAML/m.test(input)).flatMap(kubernetesResults);
      for (const [index, text] of texts.entries()) writeFileSync(join(directory, `m${index}.yaml`), text);
      // kubectl asks a server which kinds there are even for a client-side dry run; this one knows the kinds and holds nothing.
      const { stdout } = await promisify(execFile)(
        'kubectl',
        ['apply', '--dry-run=client', '--validate=false', '-f', directory, '--server', server.url, '--output', 'name'],
        { env: { PATH: process.env['PATH'], HOME: directory, KUBECONFIG: '' }, maxBuffer: 2 ** 26 },
      );
      const accepted = stdout
        .trim()
        .split('\n')
        .map((line) => line.split('/').at(-1));
      assert.deepEqual(
        accepted.sort(),
        texts
          .flatMap((text) => objectsIn(text))
          .map(nameOf)
          .sort(),
      );
    } finally {
      await server.stop();
      rmSync(directory, { recursive: true });
    }
  });
});

describe('kubectl kustomize', () => {
  test('builds every migrated and generated manifest', { skip: missing }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'manifest-'));
    try {
      // All in one run, each in a folder of its own whose suffix keeps its names apart.
      const results = wholeResults();
      for (const [index, manifest] of results.entries()) {
        // kustomize gives no suffix to namespaces.
        const folder = join(directory, `m${index}`);
        mkdirSync(folder);
        writeFileSync(join(folder, 'manifest.yaml'), manifest.replaceAll('harness-delegate-ng', `agents-${index}`));
        writeFileSync(join(folder, 'kustomization.yaml'), `resources: [manifest.yaml]\nnameSuffix: -x${index}\n`);
      }
      const folders = results.map((_, index) => `m${index}`);
      writeFileSync(join(directory, 'kustomization.yaml'), `resources: [${folders.join(', ')}]\n`);
      const built = objectsIn(
        execFileSync('kubectl', ['kustomize', directory], { encoding: 'utf8', maxBuffer: 2 ** 26 }),
      );
      assert.equal(built.length, results.flatMap((text) => objectsIn(text)).length);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  const patch =
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d1, namespace: default}\nspec: {template: {spec: {containers: [{name: delegate}]}}}\n';
  const indented = patch.replace(/^/gm, '    ').trimEnd();
  const migrated = (text: string) => migrate(text, { endpoint, secretName: 'certs' }).text;
  const ways: Readonly<Record<string, () => Readonly<Record<string, string>>>> = {
    'a file of its own': () => ({
      'patch.yaml': migrated(patch),
      'kustomization.yaml': 'resources: [base.yaml]\npatches: [{path: patch.yaml}]\n',
    }),
    'a part of the kustomization': () => ({
      'kustomization.yaml': migrated(
        `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [base.yaml]\npatches:\n- patch: |-\n${indented}\n`,
      ),
    }),
  };
  for (const [name, files] of Object.entries(ways)) {
    test(`applies a migrated patch, ${name}, to its base`, { skip: missing }, () => {
      const directory = mkdtempSync(join(tmpdir(), 'manifest-'));
      try {
        const base = generate({
          ...{ delegateName: 'd1', accountId: 'acc-1', image: 'registry.example.com/delegate:25.09.86700' },
          ...{ form: 'kubernetes', token: '00112233445566778899aabbccddeeff' },
          ...{ endpoint: 'https://manager.example.com', namespace: 'default' },
        }).files.at(-1)?.text;
        for (const [file, content] of Object.entries({ 'base.yaml': base ?? '', ...files() }))
          writeFileSync(join(directory, file), content);
        const built = execFileSync('kubectl', ['kustomize', directory], { encoding: 'utf8' });
        const [delegate] = readManifest(built).delegates;
        assert.equal(delegate?.environment['MANAGER_HOST_AND_PORT'], endpoint);
        assert.equal(delegate?.environment['DELEGATE_CLIENT_CERTIFICATE_PATH'], '/etc/mtls/client.crt');
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  }
});

/** Golden results that are whole: patches need their base, and kustomize wants every object once. */
function wholeResults(): string[] {
  const whole = [
    'sample',
    'instructions-followed-to-the-letter',
    'windows-line-ends',
    'kubernetes-list',
    'kubernetes-json',
    'half-duplicate-volumes-key',
    'aliased-env-list',
  ];
  const migrated = goldenCases('migrate').filter(({ name }) => whole.includes(name));
  const generated = goldenCases('generate').filter(({ name }) => name.startsWith('kubernetes'));
  return [...migrated, ...generated].flatMap(kubernetesResults);
}
