import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readManifest } from '@sallyport/manifest';
import { createAuthority } from '@sallyport/trust';
import { describedDelegate } from './from-manifest.ts';

const BUNDLE = '/opt/harness-delegate/ca-bundle';
const MANIFEST = `apiVersion: v1
kind: ConfigMap
metadata: {name: edge-1-ca-bundle, namespace: delegates}
data:
  ca.crt: FIRST
  more.crt: SECOND
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge-1, namespace: delegates}
spec:
  template:
    spec:
      containers:
        - name: delegate
          image: harness/delegate:25.09.86700
          env: [{name: DELEGATE_NAME, value: edge-1}]
          volumeMounts: [{name: ca-bundle, mountPath: ${BUNDLE}, readOnly: true}]
      volumes: [{name: ca-bundle, configMap: {name: edge-1-ca-bundle}}]
`;

function described(text: string, folder = '/') {
  const [delegate] = readManifest(text).delegates;
  assert.ok(delegate);
  return describedDelegate(text, delegate, { folder });
}

test('the CAs that a manifest mounts for the delegate are its extra CAs, all of them', async () => {
  const { environment, files } = described(MANIFEST);
  assert.equal(environment['SALLYPORT_EXTRA_CA_FILE'], BUNDLE);
  const look = await files.look(BUNDLE);
  assert.equal(look.problem, null);
  assert.equal(look.text, 'FIRST\nSECOND');
});

test('a variable of the manifest that names another file wins, and without the mount there is none', () => {
  const named = MANIFEST.replace('env: [', 'env: [{name: SALLYPORT_EXTRA_CA_FILE, value: /other.pem}, ');
  assert.equal(described(named).environment['SALLYPORT_EXTRA_CA_FILE'], '/other.pem');
  const without = MANIFEST.replace(`mountPath: ${BUNDLE}`, 'mountPath: /elsewhere');
  assert.equal(described(without).environment['SALLYPORT_EXTRA_CA_FILE'], undefined);
});

test('for docker it is what lies in the folder beside the file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-ca-bundle-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { certificatePem } = await createAuthority({
    subject: { commonName: 'x' },
    keyAlgorithm: 'EC P-256',
    now: new Date(),
  });
  mkdirSync(join(folder, 'ca-bundle'));
  writeFileSync(join(folder, 'ca-bundle/ca.crt'), certificatePem);
  const compose = `services:
  edge-1:
    image: harness/delegate:25.09.86700
    environment: {DELEGATE_NAME: edge-1, ACCOUNT_ID: acme}
    volumes: ["./ca-bundle:${BUNDLE}:ro"]
`;
  const { environment, files } = described(compose, folder);
  assert.equal((await files.look(environment['SALLYPORT_EXTRA_CA_FILE'] ?? '')).text, certificatePem);
});
