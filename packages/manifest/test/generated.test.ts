import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  certificatesIn,
  check,
  type GenerateOptions,
  generate,
  type ManifestForm,
  migrate,
  readManifest,
} from '../src/index.ts';
import { credentials } from './golden-cases.ts';

const endpoint = 'https://blue.agent.example.com:8443';
const base = { delegateName: 'd1', accountId: 'acc-1', image: 'registry.example.com/delegate:25.09.86700', endpoint };
const token = '00112233445566778899aabbccddeeff';
const files = { certificate: '/srv/client.crt', key: '/srv/client.key' };
const upgrader = { image: 'registry.example.com/upgrader:1.0.0' };

const withMtls: Readonly<Record<string, GenerateOptions>> = {
  'a Kubernetes manifest with its certificate': {
    ...base,
    form: 'kubernetes',
    token,
    upgrader,
    mtls: { from: 'pem', ...credentials },
  },
  'a rootless one of cert-manager': {
    ...base,
    form: 'kubernetes',
    token,
    upgrader,
    rootless: true,
    mtls: { from: 'cert-manager', issuer: { name: 'ca' } },
  },
  'Helm values': { ...base, form: 'helm-values', token, mtls: { from: 'secret', secretName: 'certs' } },
  'a helm command': { ...base, form: 'helm-command', token, mtls: { from: 'secret', secretName: 'certs' } },
  'a docker command': { ...base, form: 'docker-command', token, mtls: { from: 'files', ...files } },
  'a compose file': { ...base, form: 'compose', token, upgrader, mtls: { from: 'files', ...files } },
  'an upgrader config': { ...base, form: 'upgrader-config', mtls: { from: 'secret', secretName: 'certs' } },
};

function text(options: GenerateOptions): string {
  return generate(options).files.at(-1)?.text ?? '';
}

describe('what is generated with mTLS', () => {
  for (const [name, options] of Object.entries(withMtls)) {
    test(`${name}: has nothing that the linter minds, and nothing left to migrate`, () => {
      const generated = text(options);
      // A Secret that is only referred to is not in the file, and the linter says so; cert-manager makes its own.
      const referred = options.mtls?.from !== 'cert-manager';
      const findings = check(generated, { endpoint, mode: 'STRICT' }).filter(
        ({ code }) => !(referred && code === 'CERTIFICATE_SECRET_MISSING'),
      );
      assert.deepEqual(findings, []);
      assert.deepEqual(migrate(generated, { endpoint }).changes, []);
      assert.equal(readManifest(generated).form, options.form);
    });
  }

  const plain: Record<string, GenerateOptions> = Object.fromEntries(
    Object.entries(withMtls).map(([name, { mtls, ...rest }]) => [
      name,
      { ...rest, endpoint: 'https://manager.example.com' },
    ]),
  );
  for (const [name, options] of Object.entries(plain)) {
    test(`${name}: made without, and migrated, connects in the same way`, () => {
      const docker = options.form === 'docker-command' || options.form === 'compose';
      const { text: result } = migrate(text(options), {
        endpoint,
        ...(docker ? { certificateFiles: files } : { secretName: 'certs' }),
      });
      const environment = (manifest: string) =>
        Object.entries(readManifest(manifest).delegates[0]?.environment ?? {}).sort();
      assert.deepEqual(environment(result), environment(text(withMtls[name] ?? options)));
    });
  }

  test('every form has its token in the encoding that its way of installing wants', () => {
    const seen = (form: ManifestForm) =>
      readManifest(text({ ...base, form, token })).delegates[0]?.environment['DELEGATE_TOKEN'];
    const encoded = btoa(token);
    // Kubernetes decodes a Secret's data once: the process sees the hex digits. Chart and docker hand the base64 over.
    assert.equal(seen('kubernetes'), token);
    assert.deepEqual(
      (['helm-values', 'helm-command', 'docker-command', 'compose'] as const).map(seen),
      Array(4).fill(encoded),
    );
  });

  test('a manifest says where its files are, for whoever starts a process from it', () => {
    const [delegate] = readManifest(
      text({ ...base, form: 'kubernetes', token, mtls: { from: 'pem', ...credentials } }),
    ).delegates;
    assert.deepEqual(delegate?.files, [
      { path: '/etc/mtls/client.crt', content: credentials.certificatePem },
      { path: '/etc/mtls/client.key', content: credentials.keyPem },
    ]);
    const [other] = readManifest(
      text({ ...base, form: 'docker-command', token, mtls: { from: 'files', ...files } }),
    ).delegates;
    assert.deepEqual(other?.files, [
      { path: '/etc/mtls/client.crt', hostPath: files.certificate },
      { path: '/etc/mtls/client.key', hostPath: files.key },
    ]);
  });

  test('certificates of a manifest can be taken out of it', () => {
    const generated = text({ ...base, form: 'kubernetes', token, mtls: { from: 'pem', ...credentials } });
    const [found, ...others] = certificatesIn(generated);
    assert.deepEqual(others, []);
    assert.equal(found?.certificatePem, credentials.certificatePem);
    assert.equal(found?.keyPem, credentials.keyPem);
    assert.match(generated.split('\n')[(found?.line ?? 0) - 1] ?? '', /client\.crt/);
  });
});

test('a private key in a ConfigMap is found', () => {
  const key = credentials.keyPem.replaceAll('\n', '\n    ').trimEnd();
  const found = check(
    `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: certs\ndata:\n  client.key: |\n    ${key}\n`,
  );
  assert.deepEqual(
    found.map(({ code, line, severity }) => [code, line, severity]),
    [
      ['NO_DELEGATE', 1, 'warning'],
      ['CERTIFICATE_IN_CONFIG_MAP', 6, 'error'],
    ],
  );
});
