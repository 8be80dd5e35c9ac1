import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EditableText } from '../edit/editable-text.ts';
import { YamlFile } from '../edit/yaml-file.ts';
import { parseEndpoint } from '../endpoint.ts';
import { sceneOf } from './scene.ts';
import { firstTouched, type Untouched, untouched } from './untouched.ts';

const manifest = `apiVersion: v1
kind: Secret
metadata: {name: other}
data: {client.crt: eA==}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d1}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: delegate
        env:
        - name: MANAGER_HOST_AND_PORT
          value: https://manager.example.com
        - name: OTHER
          value: kept
        volumeMounts:
        - {name: cache, mountPath: /cache}
      - name: sidecar
        env:
        - name: MANAGER_HOST_AND_PORT
          value: https://manager.example.com
      volumes:
      - {name: cache, emptyDir: {}}
`;

function facts(text: string): Untouched[] {
  const target = {
    endpoint: parseEndpoint('https://blue.agent.example.com'),
    credentials: undefined,
    secretName: 'd1-client-certificate',
    continuousIntegration: false,
  };
  const scene = sceneOf(new YamlFile(new EditableText(text)), (delegates) => delegates[0], target);
  assert(scene, 'the delegate is found');
  return untouched(scene, new Set(['d1-client-certificate']));
}

test('what mTLS needs may change without touching the rest', () => {
  const changed = manifest
    .replace('https://manager.example.com', 'https://blue.agent.example.com')
    .replace('mountPath: /cache}', 'mountPath: /cache}\n        - {name: c, mountPath: /etc/mtls}')
    .replace('emptyDir: {}}', 'emptyDir: {}}\n      - {name: c, secret: {secretName: d1-client-certificate}}');
  assert.equal(firstTouched(facts(manifest), facts(changed)), undefined);
});

const intrusions: [string, string, string][] = [
  ['another variable', 'value: kept', 'value: changed'],
  ['another field of the Deployment', 'replicas: 1', 'replicas: 2'],
  ['another mount', '/cache', '/cache2'],
  ['another volume', 'emptyDir: {}', 'emptyDir: {medium: Memory}'],
  ['somebody else’s Secret', 'eA==', 'eQ=='],
  [
    'the same variable of another container',
    `      - name: sidecar
        env:
        - name: MANAGER_HOST_AND_PORT
          value: https://manager`,
    `      - name: sidecar
        env:
        - name: MANAGER_HOST_AND_PORT
          value: https://blue`,
  ],
];
for (const [what, from, to] of intrusions) {
  test(`a change of ${what} is noticed, and the migration that made it thrown away`, () => {
    assert(manifest.includes(from));
    assert(firstTouched(facts(manifest), facts(manifest.replace(from, to))));
  });
}
