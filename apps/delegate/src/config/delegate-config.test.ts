import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { ConfigurationError, readDelegateConfig } from './delegate-config.ts';

const HEX = '00112233445566778899aabbccddeeff';
const MINIMAL = {
  ACCOUNT_ID: 'acme',
  DELEGATE_TOKEN: HEX,
  DELEGATE_NAME: 'edge-1',
  MANAGER_HOST_AND_PORT: 'https://acme.agent.example.com:8443',
};

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    readDelegateConfig(environment);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
  return [];
}

test('four variables are enough, the rest has defaults', () => {
  const config = readDelegateConfig(MINIMAL);
  assert.equal(config.managerUrl, 'https://acme.agent.example.com:8443');
  assert.equal(config.logServiceUrl, 'https://acme.agent.example.com:8443/log-service');
  assert.deepEqual(config.health, { host: '127.0.0.1', port: 3460 });
  assert.deepEqual(
    [
      config.clientCertificate,
      config.managerProxy,
      config.pollOnly,
      config.gracePeriodMs,
      config.tags,
      config.warnings,
    ],
    [null, null, false, 590_000, [], []],
  );
});

test('the whole environment of a delegate manifest is accepted without a warning', () => {
  const config = readDelegateConfig({
    ...MINIMAL,
    JAVA_OPTS: '-Xms64M',
    DEPLOY_MODE: 'KUBERNETES',
    DELEGATE_TYPE: 'KUBERNETES',
    DELEGATE_NAMESPACE: 'harness-delegate-ng',
    INIT_SCRIPT: '',
    DELEGATE_DESCRIPTION: '',
    DELEGATE_TAGS: 'linux, amd64,,linux',
    NEXT_GEN: 'true',
    CLIENT_TOOLS_DOWNLOAD_DISABLED: 'true',
    LOG_STREAMING_SERVICE_URL: 'https://acme.agent.example.com:8443/log-service/',
    DELEGATE_RESOURCE_THRESHOLD: '',
    DYNAMIC_REQUEST_HANDLING: 'false',
    DELEGATE_CLIENT_CERTIFICATE_PATH: '/etc/mtls/client.crt',
    DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: '/etc/mtls/client.key',
    GRPC_AUTHORITY_MODIFICATION_DISABLED: 'true',
    POLL_FOR_TASKS: 'TRUE',
    KUBERNETES_SERVICE_HOST: '10.0.0.1',
    DELEGATE_SERVICE_HOST: '10.0.0.2',
    DELEGATE_PORT_3460_TCP_ADDR: '10.0.0.2',
  });
  assert.deepEqual(config.warnings, []);
  assert.deepEqual(config.tags, ['linux', 'amd64']);
  assert.deepEqual(config.clientCertificate, {
    certificatePath: '/etc/mtls/client.crt',
    keyPath: '/etc/mtls/client.key',
  });
  assert.equal(config.logServiceUrl, 'https://acme.agent.example.com:8443/log-service');
  assert.equal(config.pollOnly, true);
  // The probes of Kubernetes come to the address of the pod.
  assert.equal(config.health.host, null);
});

test('the token is taken as hex or base64, and from ACCOUNT_SECRET when DELEGATE_TOKEN is not there', () => {
  const { DELEGATE_TOKEN: _, ...rest } = MINIMAL;
  assert.equal(readDelegateConfig({ ...rest, ACCOUNT_SECRET: HEX }).token.reveal(), HEX);
  assert.equal(readDelegateConfig({ ...rest, DELEGATE_TOKEN: btoa(HEX) }).token.reveal(), btoa(HEX));
  assert.equal(readDelegateConfig({ ...MINIMAL, ACCOUNT_SECRET: 'other' }).token.reveal(), HEX);
});

test('every malformed value stops the start and is named, all at once', () => {
  const problems = problemsOf({
    ACCOUNT_ID: 'no spaces here',
    DELEGATE_TOKEN: 'not-a-token',
    DELEGATE_NAME: ' ',
    MANAGER_HOST_AND_PORT: 'http://manager',
    LOG_STREAMING_SERVICE_URL: 'logs',
    DELEGATE_HEALTH_PORT: '99999',
    DELEGATE_GRACE_PERIOD_SECONDS: '10m',
    DELEGATE_TASK_CONCURRENCY: '0',
    POLL_FOR_TASKS: 'yes',
    DELEGATE_CLIENT_CERTIFICATE_PATH: '/etc/mtls/client.crt',
    PROXY_HOST: 'proxy',
    PROXY_PORT: 'eighty',
    DELEGATE_LOG_LEVEL: 'loud',
  });
  const names = problems.map((problem) => problem.split(':')[0]).sort();
  assert.deepEqual(names, [
    'ACCOUNT_ID',
    'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH',
    'DELEGATE_GRACE_PERIOD_SECONDS',
    'DELEGATE_HEALTH_PORT',
    'DELEGATE_LOG_LEVEL',
    'DELEGATE_NAME',
    'DELEGATE_TASK_CONCURRENCY',
    'DELEGATE_TOKEN',
    'LOG_STREAMING_SERVICE_URL',
    'MANAGER_HOST_AND_PORT',
    'POLL_FOR_TASKS',
    'PROXY_PORT',
  ]);
  assert.ok(!problems.join().includes('not-a-token'));
});

test('a key path without a certificate path is an error too: no delegate goes on without mTLS unasked', () => {
  const [problem] = problemsOf({ ...MINIMAL, DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: '/etc/mtls/client.key' });
  assert.match(problem ?? '', /^DELEGATE_CLIENT_CERTIFICATE_PATH: is not set/);
});

test('placeholders of the manifest are told as such', () => {
  const problems = problemsOf({
    ...MINIMAL,
    ACCOUNT_ID: 'PUT_YOUR_ACCOUNT_ID',
    DELEGATE_TOKEN: 'PUT_YOUR_DELEGATE_TOKEN',
  });
  assert.match(problems.join('\n'), /ACCOUNT_ID: still holds the placeholder[\s\S]*DELEGATE_TOKEN: still holds/);
});

test('a misspelt variable and a switch that is not honoured are warned of', () => {
  const { warnings } = readDelegateConfig({
    ...MINIMAL,
    DELEGATE_CLIENT_CERT_PATH: '/etc/mtls/client.crt',
    TRUST_ALL_CERTIFICATES: 'true',
  });
  assert.match(warnings.join('\n'), /DELEGATE_CLIENT_CERT_PATH is set, but nothing reads it/);
  assert.match(warnings.join('\n'), /TRUST_ALL_CERTIFICATES is not honoured/);
});

test('a proxy serves the manager and tasks, or tasks alone when PROXY_MANAGER is false', () => {
  const proxied = { ...MINIMAL, PROXY_HOST: 'proxy.corp', PROXY_PORT: '3128' };
  assert.equal(readDelegateConfig(proxied).managerProxy?.host, 'proxy.corp');
  const { managerProxy, taskProxy } = readDelegateConfig({ ...proxied, PROXY_MANAGER: 'false' });
  assert.equal(managerProxy, null);
  assert.equal(taskProxy?.port, 3128);
});

test('the environment of tasks and the printed configuration hold no credentials', () => {
  const config = readDelegateConfig({
    ...MINIMAL,
    ACCOUNT_SECRET: 'ffeeddccbbaa99887766554433221100',
    PROXY_HOST: 'proxy',
    PROXY_USER: 'ann',
    PROXY_PASSWORD: 'hunter2',
    HTTPS_PROXY: 'http://ann:hunter2@proxy:3128',
    DELEGATE_CLIENT_CERTIFICATE_PATH: '/etc/mtls/client.crt',
    DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: '/etc/mtls/client.key',
    SALLYPORT_API_KEY: 'sat.1.hunter2',
    PATH: '/bin',
  });
  assert.deepEqual(Object.keys(config.taskEnvironment).sort(), [
    'ACCOUNT_ID',
    'DELEGATE_CLIENT_CERTIFICATE_PATH',
    'DELEGATE_NAME',
    'HTTPS_PROXY',
    'MANAGER_HOST_AND_PORT',
    'PATH',
    'PROXY_HOST',
    'PROXY_USER',
  ]);
  assert.equal(config.taskEnvironment['HTTPS_PROXY'], 'http://proxy:3128');
  const printed = inspect(config, { depth: 9 }) + JSON.stringify(config);
  assert.ok(!/hunter2|00112233|ffeeddcc/.test(printed));
});

test('a key in the place of a path, and a token in the place of the account, are named and never shown', () => {
  const content = `-----BEGIN PRIVATE KEY-----\n${'MIIEvQIBADANBgkqhkiG9w0B'.repeat(2)}\n-----END PRIVATE KEY-----\n`;
  const given = {
    ...MINIMAL,
    DELEGATE_CLIENT_CERTIFICATE_PATH: '/etc/mtls/client.crt',
    DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: content,
    SALLYPORT_EXTRA_CA_FILE: btoa(content),
    DELEGATE_LOG_SPOOL_DIRECTORY: content,
  };
  const problems = problemsOf(given);
  assert.equal(problems.length, 3, problems.join('\n'));
  for (const problem of problems)
    assert.match(problem, /: holds .* itself, where a path belongs\. Write it into a file/);
  assert.ok(!problems.join().includes('MIIE') && !problems.join().includes('LS0t'));

  for (const token of [HEX, btoa(HEX)]) {
    const swapped = problemsOf({ ...MINIMAL, ACCOUNT_ID: token, DELEGATE_TOKEN: 'acme' });
    assert.match(swapped.join(), /ACCOUNT_ID: holds a delegate token\. Are ACCOUNT_ID and DELEGATE_TOKEN swapped\?/);
    assert.ok(!swapped.join().includes(token));
    const elsewhere = problemsOf({ ...MINIMAL, DELEGATE_HEALTH_PORT: token }).join();
    assert.match(elsewhere, /DELEGATE_HEALTH_PORT: "\[secret\]" is not a whole number/);
  }
  assert.equal(readDelegateConfig({ ...MINIMAL, ACCOUNT_ID: 'a'.repeat(32) }).accountId, 'a'.repeat(32));
});
