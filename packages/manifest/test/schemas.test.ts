import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type GenerateOptions, generate } from '../src/index.ts';
import { credentials, goldenCases, kubernetesResults } from './golden-cases.ts';
import { schemaProblems } from './kubernetes-schemas.ts';
import { at, list, mapAt, objectsIn, type PlainMap } from './plain-objects.ts';

/** Patches, a field of one's own that others read, and placeholders that no fix can fill: no faults beyond the input's. */
const notWhole = [
  'migrate kustomize-patch',
  'migrate kustomize-patch-with-certificate',
  'migrate merged-container-defaults',
  'fix instructions-followed-to-the-letter',
];

describe('every Kubernetes object is valid by the schemas of Kubernetes, unknown fields included, of the golden case', () => {
  for (const golden of [...goldenCases('migrate'), ...goldenCases('generate'), ...goldenCases('fix')]) {
    const objects = kubernetesResults(golden).flatMap((text) => objectsIn(text));
    if (objects.length === 0) continue;
    test(`${golden.operation} ${golden.name}`, () => {
      const whole = !notWhole.includes(`${golden.operation} ${golden.name}`);
      const before = whole ? [] : objectsIn(golden.input, { uniqueKeys: false }).flatMap(schemaProblems);
      assert.deepEqual(
        objects.flatMap(schemaProblems).filter((problem) => !before.includes(problem)),
        [],
      );
    });
  }
});

test('every Kubernetes object is valid that is generated, in every combination of options', () => {
  const sources: readonly GenerateOptions['mtls'][] = [
    undefined,
    { from: 'pem', ...credentials },
    { from: 'secret', secretName: 'certs' },
    { from: 'cert-manager', issuer: { name: 'ca', kind: 'ClusterIssuer' } },
  ];
  const proxy = {
    scheme: 'http',
    host: 'proxy.example.com',
    port: 3128,
    user: 'u',
    password: 'p',
    noProxy: '.svc',
  } as const;
  const varied: readonly Partial<GenerateOptions>[] = [
    {},
    { upgrader: { image: 'registry.example.com/upgrader:1.2.3', schedule: '*/30 * * * *', registryMirror: 'mirror' } },
    { rootless: true, extraCaPem: credentials.certificatePem, upgrader: { image: 'registry.example.com/upgrader:1' } },
    { proxy, initScript: 'set -e\necho "$HOME"\n', description: 'a: b # c', tags: ['yes', '0400'] },
    { clusterPermission: 'CLUSTER_ADMIN', size: 'LARGE', replicas: 3, createNamespace: false, namespace: 'default' },
  ];
  for (const mtls of sources) {
    for (const options of varied) {
      for (const token of [{ token: '00112233445566778899aabbccddeeff' }, { tokenSecretName: 'd1-token' }]) {
        const { files } = generate({
          ...{ form: 'kubernetes', delegateName: 'd1', accountId: 'acc-1', mtls, ...options, ...token },
          image: 'registry.example.com/delegate:25.09.86700',
          endpoint: 'https://blue.agent.example.com',
        });
        const objects = files.flatMap(({ text }) => objectsIn(text));
        assert.ok(objects.length >= 3);
        assert.deepEqual(objects.flatMap(schemaProblems), []);
      }
    }
  }
});

describe('the schemas refuse', () => {
  const golden = goldenCases('migrate').find(({ name }) => name === 'sample');
  const sample = () => (golden ? kubernetesResults(golden) : []).flatMap((text) => objectsIn(text));
  const podOf = (object: PlainMap) => mapAt(object, 'spec', 'template', 'spec');
  const broken: Readonly<Record<string, [string, (object: PlainMap) => unknown, RegExp]>> = {
    'the stray value of the instructions': [
      'Deployment',
      (object) =>
        Object.assign(mapAt(podOf(object), 'containers', 0, 'volumeMounts', 0), { value: '/etc/mtls/client.crt' }),
      /volumeMounts\[0\]\.value is unknown/,
    ],
    'volumes below a container': [
      'Deployment',
      (object) => list(mapAt(podOf(object), 'containers', 0), 'volumes').push({ name: 'certificate' }),
      /containers\[0\]\.volumes is unknown/,
    ],
    'a mode that is text': [
      'Deployment',
      (object) => Object.assign(mapAt(podOf(object), 'volumes', 0, 'secret'), { defaultMode: '0400' }),
      /defaultMode must be integer/,
    ],
    'a volume mount without a name': [
      'Deployment',
      (object) => delete mapAt(podOf(object), 'containers', 0, 'volumeMounts', 0)['name'],
      /must have required property name/,
    ],
    'a variable that is a number': [
      'Deployment',
      (object) => list(mapAt(podOf(object), 'containers', 0), 'env').push({ name: 'A', value: 1 }),
      /value must be string/,
    ],
    'data that is not base64': [
      'Secret',
      (object) => Object.assign(mapAt(object, 'data'), { 'client.crt': '{CERT}' }),
      /must match format "byte"/,
    ],
    'a concurrency policy that does not exist': [
      'CronJob',
      (object) => Object.assign(mapAt(object, 'spec'), { concurrencyPolicy: 'Deny' }),
      /concurrencyPolicy/,
    ],
  };
  for (const [name, [kind, change, problem]] of Object.entries(broken)) {
    test(name, () => {
      const object = sample().find((each) => each['kind'] === kind && at(each, 'data', 'DELEGATE_TOKEN') === undefined);
      assert.ok(object);
      assert.deepEqual(schemaProblems(object), []);
      change(object);
      assert.match(schemaProblems(object).join('\n'), problem);
    });
  }

  test('a Certificate of cert-manager with a field, a duration or a usage that it does not know', () => {
    const certificate = (spec: PlainMap): PlainMap => ({
      apiVersion: 'cert-manager.io/v1',
      kind: 'Certificate',
      metadata: { name: 'c' },
      spec: { secretName: 's', issuerRef: { name: 'ca' }, ...spec },
    });
    assert.deepEqual(schemaProblems(certificate({ duration: '2160h', usages: ['client auth'] })), []);
    for (const spec of [{ duration: '90d' }, { usages: ['clientAuth'] }, { secret: 's' }, { privateKey: { size: 1 } }])
      assert.notDeepEqual(schemaProblems(certificate(spec)), [], JSON.stringify(spec));
  });
});
