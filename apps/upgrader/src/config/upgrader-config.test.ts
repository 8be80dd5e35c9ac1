import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { generate } from '@sallyport/manifest';
import { parse } from 'yaml';
import { ConfigurationError, readUpgraderConfig, type UpgraderConfig } from './upgrader-config.ts';

const TOKEN = '00112233445566778899aabbccddeeff';
const WHOLE = `mode: Delegate
dryRun: false
workloadName: edge
namespace: agents
containerName: delegate
clientCertificateFilePath: /etc/mtls/client.crt
clientCertificateKeyFilePath: /etc/mtls/client.key
registryMirror: mirror.example.com:5000
proxyScheme: http
proxyHost: proxy.example.com
proxyPort: 3128
proxyUser: me
proxyPassword: s3cret
delegateConfig:
  accountId: "0123"
  managerHost: https://acme.agent.example.com:8443/
`;

function read(t: TestContext, text: string, environment: Readonly<Record<string, string>> = {}): UpgraderConfig {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-upgrader-config-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'config.yaml');
  writeFileSync(file, text);
  return readUpgraderConfig({ UPGRADER_CONFIG: file, UPGRADER_TOKEN: TOKEN, ...environment });
}

function problems(t: TestContext, text: string, environment: Readonly<Record<string, string>> = {}): string {
  try {
    read(t, text, environment);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems.join('\n');
  }
  return '';
}

test('every field of the file is read, and the secrets in it are not shown', (t) => {
  const config = read(t, WHOLE);
  const { token, proxy, ...rest } = config;
  assert.deepEqual(rest, {
    dryRun: false,
    target: {
      platform: 'kubernetes',
      workloadName: 'edge',
      namespace: 'agents',
      containerName: 'delegate',
      cronJobName: 'edge-upgrader-job',
      cronJobContainerName: 'upgrader',
      kubeconfig: rest.target.platform === 'kubernetes' ? rest.target.kubeconfig : '',
    },
    images: {
      allowedRepositories: null,
      requireDigest: false,
      acceptOlder: true,
      registryMirror: 'mirror.example.com:5000',
    },
    accountId: '0123',
    managerUrl: 'https://acme.agent.example.com:8443',
    clientCertificate: { certificatePath: '/etc/mtls/client.crt', keyPath: '/etc/mtls/client.key' },
    extraCaFiles: [],
    callTimeoutMs: 30_000,
    logLevel: 'info',
  });
  assert.deepEqual([token.reveal(), proxy?.host, proxy?.port], [TOKEN, 'proxy.example.com', 3128]);
  assert.doesNotMatch(`${inspect(config, { depth: 9 })}${JSON.stringify(config)}`, /s3cret|00112233/);
});

test('unknown keys are an error that names every one of them and its line, wherever they stand', (t) => {
  const text = problems(t, `${WHOLE}allowedRepository: harness/delegate\nempty:\n  inner: x\nnothing:\n`);
  const line = WHOLE.split('\n').length;
  assert.match(text, /^allowedRepository: is not a key of the upgrader\. Known keys: mode, dryRun/m);
  assert.match(text, new RegExp(`^allowedRepository: .* \\(line ${line}\\)$`, 'm'));
  assert.match(text, new RegExp(`^empty\\.inner: is not a key.* \\(line ${line + 2}\\)$`, 'm'));
  assert.match(text, /^nothing: is not a key/m);
  const odd = problems(t, `${WHOLE}foo: 1\nbar:\n  - x: 2\nacceptOlder:\n  - x: 2\ncronJobName: ../x\n`);
  for (const key of ['foo', 'bar']) assert.match(odd, new RegExp(`^${key}: is not a key`, 'm'));
  assert.match(odd, /^acceptOlder: is neither a text nor a list of texts\. \(line \d+\)$/m);
  assert.match(odd, /^cronJobName: "\.\.\/x" is not a name/m);
  assert.match(problems(t, WHOLE.replace(/proxyPort: .*/, 'proxyPort: 99999')), /^proxyPort: "99999" is not a port/m);
  assert.match(
    problems(t, WHOLE.replace('  accountId', '  clientCertificateFilePath: /x\n  accountId')),
    /^delegateConfig\.clientCertificateFilePath: is not a key/m,
  );
});

test('a file that can be read in two ways is an error', (t) => {
  assert.match(problems(t, `${WHOLE}dryRun: true\n`), /Map keys must be unique/);
  assert.match(problems(t, `${WHOLE}---\ndryRun: true\n`), /config\.yaml: /);
  assert.match(problems(t, WHOLE.replace('edge', '&a edge').replace('agents', '*a')), /alias/);
  assert.match(problems(t, '- a\n'), /is not a mapping/);
  assert.match(problems(t, 'a: [\n'), /config\.yaml: /);
});

test('a key with nothing below it, and one that only looks like an inner one, are named', (t) => {
  for (const [text, expected] of [
    ['unknownThing: {}', /^unknownThing: is not a key of the upgrader\..*\(line 17\)$/m],
    ['requireDigest: {}', /^requireDigest: is neither a text nor a list of texts\. \(line 17\)$/m],
    ['delegateConfig.managerHost: https://m:1', /^"delegateConfig\.managerHost": is not a key .*\(line 17\)$/m],
  ] as const)
    assert.match(problems(t, `${WHOLE}${text}\n`), expected);
  const without = WHOLE.replace(/delegateConfig:[\s\S]*/, '');
  for (const value of ['{}', 'x', '[]', '{ accountId: {} }'])
    assert.match(
      problems(t, `${without}delegateConfig: ${value}\n`),
      /^delegateConfig(\.accountId)?: is (not a mapping with delegateConfig\.accountId and|neither)/m,
    );
});

test('a registry without /* is refused with what to write', (t) => {
  const expected =
    /^allowedRepositories: "registry\.example\.com" is a registry, .*: write "registry\.example\.com\/\*"/m;
  assert.match(problems(t, `${WHOLE}allowedRepositories: [registry.example.com]\n`), expected);
  assert.deepEqual(read(t, `${WHOLE}allowedRepositories: [registry.example.com/*]\n`).images.allowedRepositories, [
    'registry.example.com/*',
  ]);
});

test('variables of Kubernetes Services whose names begin with upgrader are none of its own', (t) => {
  const links = (prefix: string) => ({
    [`${prefix}_SERVICE_HOST`]: '10.0.0.1',
    [`${prefix}_SERVICE_PORT`]: '443',
    [`${prefix}_SERVICE_PORT_HTTPS`]: '443',
    [`${prefix}_PORT`]: 'tcp://10.0.0.1:443',
    [`${prefix}_PORT_443_TCP`]: 'tcp://10.0.0.1:443',
    [`${prefix}_PORT_443_TCP_PROTO`]: 'tcp',
    [`${prefix}_PORT_443_TCP_PORT`]: '443',
    [`${prefix}_PORT_443_TCP_ADDR`]: '10.0.0.1',
  });
  read(t, WHOLE, { ...links('UPGRADER'), ...links('UPGRADER_METRICS'), ...links('UPGRADER_2_X') });
  for (const [name, value] of [
    ['UPGRADER_PORT', '443'],
    ['UPGRADER_METRICS', 'on'],
    ['UPGRADER_SERVICE', 'x'],
  ] as const)
    assert.match(problems(t, WHOLE, { [name]: value }), new RegExp(`^${name}: is not a variable`, 'm'));
});

test('what is missing or malformed is named, all of it at once', (t) => {
  const text = problems(
    t,
    'mode: Other\ndryRun: maybe\nworkloadName: PUT_YOUR_DELEGATE_NAME\nclientCertificateFilePath: /x\nregistryMirror: a b\nallowedRepositories: ["a:1", "ok/*"]\ndelegateConfig:\n  managerHost: http://m\n',
    { UPGRADER_TOKEN: 'short' },
  );
  for (const expected of [
    /^mode: "Other" is not Delegate/m,
    /^dryRun: "maybe" is neither/m,
    /^workloadName: still holds the placeholder/m,
    /^namespace: is not set/m,
    /^clientCertificateKeyFilePath: is not set, but/m,
    /^registryMirror: "a b" is not a registry/m,
    /^allowedRepositories: "a:1" is neither/m,
    /^delegateConfig\.accountId: is not set/m,
    /^delegateConfig\.managerHost: is not an https/m,
    /^UPGRADER_TOKEN: is no delegate token/m,
  ]) {
    assert.match(text, expected);
  }
  assert.doesNotMatch(text, /"ok/);
  assert.match(problems(t, WHOLE, { UPGRADER_TOKEN: '' }), /^UPGRADER_TOKEN: is not set/m);
  assert.match(
    problems(t, WHOLE, { UPGRADER_ALLOWED_REPOSITORY: 'x' }),
    /^UPGRADER_ALLOWED_REPOSITORY: is not a variable/m,
  );
  assert.throws(
    () => readUpgraderConfig({ UPGRADER_CONFIG: '/nowhere', UPGRADER_TOKEN: TOKEN }),
    /cannot be read \(ENOENT\)/,
  );
});

test('a generated compose file sets up its upgrader, with the client certificate of the delegate', () => {
  const { files } = generate({
    ...{ form: 'compose', delegateName: 'edge', accountId: 'acme', image: 'harness/delegate:25.08.1', token: TOKEN },
    endpoint: 'https://acme.agent.example.com',
    mtls: { from: 'files', certificate: '/srv/client.crt', key: '/srv/client.key' },
    upgrader: { image: 'sallyport/upgrader:25.08.1' },
  });
  const text = files.find(({ path }) => path === 'docker-compose.yaml')?.text ?? '';
  const { environment } = parse(text).services['edge-upgrader'];
  const { target, clientCertificate, managerUrl } = readUpgraderConfig(environment);
  assert.deepEqual([target.platform, managerUrl], ['docker', 'https://acme.agent.example.com']);
  assert.deepEqual(clientCertificate, { certificatePath: '/etc/mtls/client.crt', keyPath: '/etc/mtls/client.key' });
});

test('the docker form needs no file', () => {
  const { target, accountId, managerUrl, images } = readUpgraderConfig({
    ACCOUNT_ID: 'acme',
    MANAGER_HOST_AND_PORT: 'https://manager.example.com',
    UPGRADER_WORKLOAD_NAME: 'edge',
    UPGRADER_TOKEN: TOKEN,
    SCHEDULE: '0 */1 * * *',
    HOME: '/srv',
    UPGRADER_ALLOWED_REPOSITORIES: 'harness/delegate,mirror.example.com/harness/*',
  });
  assert.deepEqual([accountId, managerUrl], ['acme', 'https://manager.example.com']);
  assert.deepEqual(images.allowedRepositories, ['harness/delegate', 'mirror.example.com/harness/*']);
  assert.deepEqual(target, {
    platform: 'docker',
    containerName: 'edge',
    socketPath: '/var/run/docker.sock',
    dockerConfig: { path: '/srv/.docker/config.json', mayBeMissing: true },
    registrationMs: 300_000,
    schedule: '0 */1 * * *',
  });
  assert.throws(
    () => readUpgraderConfig({ UPGRADER_WORKLOAD_NAME: 'edge', UPGRADER_TOKEN: TOKEN, SCHEDULE: 'hourly' }),
    /SCHEDULE: "hourly" is not a cron schedule[\s\S]*ACCOUNT_ID: is not set/,
  );
});
