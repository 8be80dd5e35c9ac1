import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { UpgradeError } from '../config/exit-codes.ts';
import { registryCredentials } from './registry-credentials.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-docker-config-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'config.json');
const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });

function credentials(config: unknown, registry: string | null): unknown {
  writeFileSync(path, typeof config === 'string' ? config : JSON.stringify(config));
  const header = registryCredentials({ path, mayBeMissing: false }, { registry });
  if (header === null) return null;
  assert.match(header, /^[A-Za-z0-9_-]+=*$/);
  assert.equal(header.length % 4, 0, 'the engine wants the padding');
  return JSON.parse(Buffer.from(header, 'base64url').toString('utf8'));
}

test('the image’s registry gets its own credentials, and no other registry any', () => {
  const config = {
    auths: { 'https://index.docker.io/v1/': auth('hub:a:b?>~'), 'r.example.com:5000': { identitytoken: 'id' } },
  };
  const hub = { username: 'hub', password: 'a:b?>~', serveraddress: 'https://index.docker.io/v1/' };
  assert.deepEqual(credentials(config, null), hub);
  assert.deepEqual(credentials(config, 'docker.io'), hub);
  assert.deepEqual(credentials(config, 'R.example.com:5000'), {
    ...{ identitytoken: 'id', serveraddress: 'r.example.com:5000' },
  });
  for (const other of ['r.example.com', 'r.example.com:5001', 'evil.r.example.com:5000', 'index.docker.io.evil.com']) {
    assert.equal(credentials(config, other), null, other);
  }
  assert.equal(credentials({}, null), null);
});

test('a helper is not run, and the message says what to do instead', () => {
  const refusal = (config: unknown) => {
    try {
      return credentials(config, 'r.example.com');
    } catch (error) {
      assert.ok(error instanceof UpgradeError);
      return [error.exit, error.message, error.remedy].join(' ');
    }
  };
  assert.match(
    String(refusal({ auths: { 'r.example.com': {} }, credsStore: 'desktop' })),
    /^2 .* leaves the credentials of r\.example\.com to a helper \(docker-credential-desktop\), .* UPGRADER_DOCKER_CONFIG/,
  );
  const helped = { auths: { 'r.example.com': auth('a:b') }, credHelpers: { 'r.example.com': 'gcloud' } };
  assert.match(String(refusal(helped)), /docker-credential-gcloud/);
  assert.equal(refusal({ credsStore: 'desktop', credHelpers: { 'gcr.io': 'gcloud' } }), null, 'none of this registry');
  assert.match(String(refusal({ auths: { 'r.example.com': auth('no-colon') } })), /neither auth nor identitytoken/);
});

test('what is in a file that cannot be used is not repeated', () => {
  for (const text of ['{"auths": {"a": "s3cret"}}', 's3cret', '[]', '{"auths":{"a":{"auth":7}},"x":"s3cret"']) {
    assert.throws(
      () => credentials(text, null),
      (error: Error) => !/s3cret/.test(error.message),
    );
  }
  const absent = { path: join(folder, 'none.json'), mayBeMissing: true };
  assert.equal(registryCredentials(absent, { registry: null }), null);
  assert.throws(() => registryCredentials({ ...absent, mayBeMissing: false }, { registry: null }), /ENOENT/);
});
