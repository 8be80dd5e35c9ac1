import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outsideReferences } from './manifest-references.ts';

const WORKLOAD = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: edge-1
spec:
  template:
    spec:
      containers:
        - name: delegate
          envFrom:
            - secretRef:
                name: edge-1-token
            - configMapRef: {name: "settings"}
          env:
            - name: ACCOUNT_ID
              valueFrom:
                configMapKeyRef:
                  key: account
                  name: account-of-edge
            - {name: DELEGATE_NAME, valueFrom: {secretKeyRef: {name: names, key: x}}}
            - name: MANAGER_HOST_AND_PORT
              value: https://acme.agent.example.com
      volumes:
        - name: client-certificate
          secret:
            secretName: edge-1-certificate
`;
const secret = (name: string) => `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${name}\n`;
const upgrader = `apiVersion: batch/v1\nkind: CronJob\nspec: {envFrom: [{secretRef: {name: upgrader-token}}], secretName: other}\n`;

test('names what a variable comes from, by its own reference or by those of the container', () => {
  const { sourceOf, mountedSecrets } = outsideReferences(WORKLOAD, 1);
  assert.equal(sourceOf('ACCOUNT_ID'), 'the ConfigMap account-of-edge');
  assert.equal(sourceOf('DELEGATE_NAME'), 'the Secret names');
  assert.equal(sourceOf('DELEGATE_TOKEN'), 'the Secret edge-1-token or the ConfigMap settings');
  assert.deepEqual(mountedSecrets, ['edge-1-certificate']);
  const json = JSON.stringify({
    kind: 'Pod',
    env: [{ name: 'DELEGATE_TOKEN', valueFrom: { secretKeyRef: { name: 'in-json', key: 'x' } } }],
  });
  assert.equal(outsideReferences(json, 1).sourceOf('DELEGATE_TOKEN'), 'the Secret in-json');
});

test('what the file holds is not outside, and what other workloads refer to is not of this one', () => {
  const before = `${secret('edge-1-token')}---\n${upgrader}---\n`;
  const { sourceOf, mountedSecrets } = outsideReferences(
    `${before}${WORKLOAD}---\n${secret('edge-1-certificate')}`,
    before.split('\n').length,
  );
  assert.equal(sourceOf('DELEGATE_TOKEN'), 'the ConfigMap settings');
  assert.deepEqual(mountedSecrets, []);
  assert.equal(outsideReferences('', 1).sourceOf('DELEGATE_TOKEN'), null);
});

test('outside of Kubernetes it is a variable of the shell, a file, or the Secret that the Helm values name', () => {
  const token = (text: string) => outsideReferences(text, 1).sourceOf('DELEGATE_TOKEN');
  assert.equal(
    token(`services: {d: {environment: {DELEGATE_TOKEN: "\${TOKEN:-x}"}}}`),
    'the variable TOKEN of the shell',
  );
  assert.equal(token('docker run -e DELEGATE_TOKEN=$TOKEN x'), 'the variable TOKEN of the shell');
  assert.equal(token('docker run --env-file ./delegate.env x'), 'the file ./delegate.env');
  assert.equal(token('services:\n  d:\n    env_file:\n      - delegate.env\n'), 'the file delegate.env');
  assert.equal(token('services:\n  d:\n    env_file: "delegate.env"\n'), 'the file delegate.env');
  assert.equal(token('delegateName: d\nexistingDelegateToken: my-token\n'), 'the Secret my-token');
  assert.equal(token(`delegateName: d\nexistingDelegateToken: ${'0a'.repeat(16)}\n`), null);
  assert.equal(outsideReferences('existingDelegateToken: my-token', 1).sourceOf('ACCOUNT_ID'), null);
});
