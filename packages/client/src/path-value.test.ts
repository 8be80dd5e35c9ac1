import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { contentForPath, holdsFileContent } from './path-value.ts';

const pem = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

test('a key in the place of a path is told from a path: PEM, base64 of PEM or DER, and every line of it', () => {
  // The last line may be as short as a name.
  const lines = pem.trim().split('\n').slice(1, -2);
  const encoded = btoa(pem);
  for (const value of [pem, `/work/${pem}`, encoded, lines.join(''), 'two\nlines', ...lines])
    assert.ok(holdsFileContent(value), `${value.length} characters`);
  for (let at = 0; at + 76 < encoded.length; at += 76) assert.ok(holdsFileContent(encoded.slice(at, at + 76)));
  const short = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  assert.ok(holdsFileContent(short.export({ type: 'pkcs8', format: 'der' }).toString('base64')));
});

test('a path is a path, however long and wherever it lies', () => {
  for (const path of [
    '/etc/mtls/client.key',
    'client.key',
    'MII',
    'C:\\Program Files\\Delegate\\client.key',
    '/srv/Ann/ClientCertificates2026/Production/Edge1/clientkey',
    `/var/lib/docker/volumes/${'0123456789abcdef'.repeat(4)}/key`,
    '/run/secrets/kubernetes/delegates/production/clientcertificatekey',
    '/var/lib/kubelet/pods/0f8fad5b-d9cb-469f-a165-70867728950e/volumes/key',
  ])
    assert.ok(!holdsFileContent(path), path);
});

test('what is said about it shows nothing of it', () => {
  const { what, remedy } = contentForPath('DELEGATE_CLIENT_CERTIFICATE_KEY_PATH', pem);
  assert.equal(what, 'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH holds the key itself, where a path belongs.');
  assert.match(remedy, /^Write it into a file that only the user of the delegate can read, and set /);
  assert.match(contentForPath('SALLYPORT_EXTRA_CA_FILE', 'MIIx').what, /holds the content of the file itself/);
});
