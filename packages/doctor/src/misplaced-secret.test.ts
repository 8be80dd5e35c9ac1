import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { readManifest } from '@sallyport/manifest';
import { encodeDelegateToken } from '@sallyport/protocol';
import { diagnose } from './diagnose.ts';
import { describedDelegate } from './from-manifest.ts';

const TOKEN = '00112233445566778899aabbccddeeff';
const KEY = 'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH';
const pem = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const keyLines = pem.trim().split('\n').slice(1, -1);

const base = {
  ACCOUNT_ID: 'acme',
  DELEGATE_TOKEN: TOKEN,
  DELEGATE_NAME: 'edge-1',
  MANAGER_HOST_AND_PORT: 'https://localhost:1',
  DELEGATE_CLIENT_CERTIFICATE_PATH: '/etc/mtls/client.crt',
};

function showsNone(report: unknown, secrets: readonly string[]): void {
  const text = JSON.stringify(report);
  for (const secret of secrets) assert.ok(!text.includes(secret), 'a secret is shown');
}

test('a key in the place of its path is named, and no line of it is shown', async () => {
  for (const value of [pem, btoa(pem), keyLines[3] ?? '', keyLines.join('')]) {
    const diagnosis = await diagnose({ environment: { ...base, [KEY]: value } });
    assert.equal(diagnosis.cause?.id, 'environment');
    assert.equal(diagnosis.cause?.evidence, `${KEY} holds the key itself, where a path belongs.`);
    assert.match(diagnosis.cause?.remedy ?? '', /^Write it into a file/);
    showsNone(diagnosis, [...keyLines, btoa(pem), '-----BEGIN']);
  }
});

test('so is what stands in the place of the certificate or of the extra CA', async () => {
  const environment = {
    ...base,
    [KEY]: '/k',
    DELEGATE_CLIENT_CERTIFICATE_PATH: pem,
    SALLYPORT_EXTRA_CA_FILE: btoa(pem),
  };
  const { cause, checks } = await diagnose({ environment });
  assert.match(cause?.evidence ?? '', /_PATH holds the key itself.*EXTRA_CA_FILE holds the content of the file itself/);
  assert.equal(checks.find(({ id }) => id === 'ca-file')?.because, 'environment');
  showsNone({ checks, cause }, [...keyLines, btoa(pem)]);
});

test('a key in a manifest is not shown by the check of the manifest either', async () => {
  const [line = ''] = keyLines;
  const manifest = `apiVersion: apps/v1
kind: Deployment
metadata: {name: edge-1, namespace: delegates}
spec:
  template:
    spec:
      containers:
        - name: delegate
          image: harness/delegate:25.09.86700
          env:
${Object.entries({ ...base, [KEY]: line })
  .map(([name, value]) => `            - {name: ${name}, value: "${value}"}\n`)
  .join('')}`;
  const [delegate] = readManifest(manifest).delegates;
  assert.ok(delegate);
  const diagnosis = await diagnose(describedDelegate(manifest, delegate, { folder: '/' }));
  assert.match(diagnosis.cause?.evidence ?? '', /holds the key itself|is not https|Line/);
  showsNone(diagnosis, [line, line.slice(0, 40)]);
});

test('account and token that are swapped are said to be, and the token is shown nowhere', async () => {
  for (const token of [TOKEN, encodeDelegateToken(TOKEN)]) {
    const diagnosis = await diagnose({ environment: { ...base, ACCOUNT_ID: token, DELEGATE_TOKEN: 'acme' } });
    assert.match(diagnosis.cause?.evidence ?? '', /ACCOUNT_ID and DELEGATE_TOKEN are swapped/);
    assert.equal(diagnosis.accountId, null);
    showsNone(diagnosis, [token, TOKEN]);
  }
  const same = await diagnose({ environment: { ...base, ACCOUNT_ID: TOKEN } });
  assert.match(same.cause?.evidence ?? '', /ACCOUNT_ID holds a delegate token/);
  showsNone(same, [TOKEN]);
});

test('what has the form of a token is shown nowhere: not as a name, an address or an account', async () => {
  const other = 'aabbccddeeff00112233445566778899';
  const environment = {
    ...base,
    ACCOUNT_ID: other,
    DELEGATE_NAME: encodeDelegateToken(other),
    MANAGER_HOST_AND_PORT: `https://localhost:1/${other}`,
  };
  const diagnosis = await diagnose({ environment });
  assert.equal(diagnosis.accountId, '[secret]');
  assert.equal(diagnosis.manager, 'https://localhost:1/[secret]');
  showsNone(diagnosis, [other, encodeDelegateToken(other)]);
});
