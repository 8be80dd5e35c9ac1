import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, readConfig } from './config.ts';

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
}

test('without any setting both listeners are on loopback and the domain is localhost', () => {
  const { config, secrets } = readConfig({ PATH: '/bin' });
  assert.deepEqual(
    [config.publicListen, config.mtlsListen],
    [
      { host: '127.0.0.1', port: 7443 },
      { host: '127.0.0.1', port: 8443 },
    ],
  );
  assert.equal(config.agentDomain, 'agent.localhost');
  assert.equal(config.tls.minVersion, 'TLSv1.3');
  assert.equal(config.local, true);
  assert.match(secrets.masterKeyFile ?? '', /master\.key$/);
});

test('an unknown setting is named, those of other programs and of Kubernetes are not ours', () => {
  assert.match(problemsOf({ SALLYPORT_MTLS_LISTN: 'x' })[0] ?? '', /^SALLYPORT_MTLS_LISTN is not a setting/);
  const foreign = {
    SALLYPORT_URL: 'https://localhost',
    SALLYPORT_SERVICE_HOST: '10.0.0.1',
    SALLYPORT_SERVICE_PORT_HTTPS: '7443',
    SALLYPORT_PORT: 'tcp://10.0.0.1:7443',
    SALLYPORT_PORT_7443_TCP_ADDR: '10.0.0.1',
    SALLYPORT_PUBLIC_SERVICE_HOST: '10.0.0.2',
  };
  assert.deepEqual(problemsOf(foreign), []);
});

test('every malformed value is named at once, and none silently becomes the default', () => {
  const problems = problemsOf({
    SALLYPORT_PUBLIC_LISTEN: '7443',
    SALLYPORT_MTLS_LISTEN: 'example.test:8443',
    SALLYPORT_MTLS_ADVERTISED_PORT: '0',
    SALLYPORT_BASE_DOMAIN: 'not a domain',
    SALLYPORT_TLS_MIN_VERSION: '1.1',
    SALLYPORT_LOG_LEVEL: 'loud',
    SALLYPORT_DELEGATE_LOST_AFTER_SECONDS: '1',
  });
  for (const name of [
    'PUBLIC_LISTEN',
    'MTLS_LISTEN',
    'MTLS_ADVERTISED_PORT',
    'BASE_DOMAIN',
    'TLS_MIN_VERSION',
    'LOG_LEVEL',
    'DELEGATE_LOST_AFTER_SECONDS',
  ]) {
    assert.ok(
      problems.some((problem) => problem.startsWith(`SALLYPORT_${name}:`)),
      name,
    );
  }
});

test('what is reachable from elsewhere needs a certificate and a master key of the operator', () => {
  const problems = problemsOf({ SALLYPORT_PUBLIC_LISTEN: '0.0.0.0:7443' }).join('\n');
  assert.match(problems, /SALLYPORT_TLS_CERTIFICATE_FILE and SALLYPORT_TLS_KEY_FILE are needed/);
  assert.match(problems, /SALLYPORT_MASTER_KEY or SALLYPORT_MASTER_KEY_FILE is needed/);
  assert.match(problemsOf({ SALLYPORT_DATABASE_URL: 'postgres://me@localhost/db' }).join(), /SALLYPORT_MASTER_KEY/);
  const { config } = readConfig({
    SALLYPORT_PUBLIC_LISTEN: '[::]:7443',
    SALLYPORT_TLS_CERTIFICATE_FILE: 'server.crt',
    SALLYPORT_TLS_KEY_FILE: 'server.key',
    SALLYPORT_MASTER_KEY: 'ab'.repeat(32),
  });
  assert.equal(config.local, false);
  assert.equal(config.agentDomain, null, 'no domain is made up for a public listener');
});

test('a secret that is malformed is refused without being repeated', () => {
  const problems = problemsOf({
    SALLYPORT_MASTER_KEY: 'hunter2-is-not-a-key',
    SALLYPORT_DATABASE_URL: 'mysql://me:hunter2@localhost/db',
  }).join('\n');
  assert.match(problems, /SALLYPORT_MASTER_KEY/);
  assert.match(problems, /SALLYPORT_DATABASE_URL/);
  assert.doesNotMatch(problems, /hunter2/);
});

test('one half of the server pair alone is an error', () => {
  assert.match(problemsOf({ SALLYPORT_TLS_KEY_FILE: 'server.key' }).join(), /belong together/);
});
