import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from './check/check.ts';
import { containerPath, inMountDirectory } from './container-path.ts';
import { ManifestError } from './manifest-error.ts';
import { migrate } from './migrate.ts';

const spellings = [
  '//etc/mtls/client.crt',
  '/etc//mtls/client.crt',
  '/etc/x/../mtls/./client.crt',
  'etc/mtls/client.crt',
];

test('a path is compared as the container runtime resolves it', () => {
  for (const path of spellings) assert.equal(containerPath(path), '/etc/mtls/client.crt', path);
  assert.equal(containerPath('/etc/mtls//'), '/etc/mtls');
  assert.equal(containerPath('/../..'), '/');
  assert.equal(containerPath(''), '');
  assert.equal(inMountDirectory('/etc/mtls-of-another'), false);
});

for (const path of spellings) {
  test(`a subPath mount at ${path} is refused and found`, () => {
    const text = `apiVersion: apps/v1
kind: Deployment
metadata: {name: d1}
spec:
  template:
    spec:
      containers:
        - name: delegate
          image: registry.example.com/delegate:25.09.86700
          env: [{name: MANAGER_HOST_AND_PORT, value: https://manager.example.com}]
          volumeMounts:
            - {name: own, mountPath: ${path}, subPath: client.crt}
      volumes: [{name: own, secret: {secretName: own}}]
`;
    const refused = (error: unknown) => error instanceof ManifestError && error.code === 'SUBPATH_MOUNT';
    assert.throws(() => migrate(text, { endpoint: 'https://blue.agent.example.com', secretName: 's' }), refused);
    assert.ok(check(text).some(({ code }) => code === 'SUBPATH_MOUNT'));
    const values = `delegateName: d1\nmanagerEndpoint: https://manager.example.com\ncustom_mounts:\n  - {name: own, mountPath: ${path}, subPath: client.crt}\n`;
    assert.throws(() => migrate(values, { endpoint: 'https://blue.agent.example.com', secretName: 's' }), refused);
  });

  test(`a file that docker mounts at ${path} is not mounted a second time`, () => {
    const run = `docker run -d -e ACCOUNT_ID=a -v /host/client.crt:/${path} -v /host/client.key:/etc/mtls/client.key registry.example.com/delegate:25.09.86700\n`;
    const { text } = migrate(run, {
      endpoint: 'https://blue.agent.example.com',
      certificateFiles: { certificate: '/host/client.crt', key: '/host/client.key' },
    });
    assert.equal(text.match(/client\.crt:\//g)?.length, 1, text);
  });
}
