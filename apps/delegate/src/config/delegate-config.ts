import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { type ProxySettings, readProxySettings, Secret } from '@sallyport/client';
import { normaliseDelegateToken } from '@sallyport/protocol';
import { childEnvironment } from './child-environment.ts';
import { type Environment, EnvironmentReader } from './environment-reader.ts';
import { unknownVariables } from './known-variables.ts';
import { DEFAULT_TIMINGS, type Timings } from './timings.ts';

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Everything a delegate needs to know, checked. Secrets are `Secret`s: printing the whole shows none. */
export interface DelegateConfig {
  readonly accountId: string;
  readonly token: Secret;
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly tags: readonly string[];
  /** `https://host[:port][/base]`. */
  readonly managerUrl: string;
  readonly logServiceUrl: string;
  /** Null: no client certificate is sent, ever. */
  readonly clientCertificate: { readonly certificatePath: string; readonly keyPath: string } | null;
  readonly extraCaFiles: readonly string[];
  /** For the manager; null when there is none or PROXY_MANAGER=false. */
  readonly managerProxy: ProxySettings | null;
  /** For the requests of tasks. */
  readonly taskProxy: ProxySettings | null;
  /** Long poll only, no push stream. */
  readonly pollOnly: boolean;
  /** `host` null: all interfaces. Port 0: any free one. */
  readonly health: { readonly host: string | null; readonly port: number };
  /** How long without a connection, and without work that a restart would lose, until the health answer is 503. */
  readonly unhealthyAfterMs: number;
  readonly gracePeriodMs: number;
  readonly taskConcurrency: number;
  /** For each of standard output, standard error and the body of an HTTP answer. */
  readonly taskOutputLimitBytes: number;
  /** Where logs wait for a log service that is away; `limitBytes` 0: nowhere. */
  readonly logSpool: { readonly directory: string; readonly limitBytes: number };
  /** Environment of the tasks' processes, without credentials. */
  readonly taskEnvironment: Readonly<Record<string, string>>;
  readonly memoryThresholdPercent: number;
  /** All of it, tokens included, for the doctor: behind a function, so that printing the configuration shows none. */
  readonly environment: () => Environment;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Not wrong, but worth a line in the log. */
  readonly warnings: readonly string[];
  readonly timings: Timings;
}

/** The environment cannot be used. `problems` names each variable, what is wrong with it and what to do. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The delegate's environment is wrong:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/**
 * Reads the environment of a delegate (the names that its manifests use). A malformed value never becomes the default.
 * Throws ConfigurationError naming all of them.
 */
export function readDelegateConfig(environment: Environment = process.env): DelegateConfig {
  const reader = new EnvironmentReader(environment);
  const managerUrl = reader.httpsUrl('MANAGER_HOST_AND_PORT');
  if (managerUrl === null && !reader.problems.some((problem) => problem.startsWith('MANAGER_HOST_AND_PORT'))) {
    reader.problem(
      'MANAGER_HOST_AND_PORT',
      'is not set. Set it to the https:// URL of the manager or of the mTLS endpoint.',
    );
  }
  const { proxy, problems } = readProxySettings(environment);
  reader.problems.push(...problems);
  const proxyForManager = reader.boolean('PROXY_MANAGER', true);
  const extraCaFile = reader.path('SALLYPORT_EXTRA_CA_FILE');
  const config: DelegateConfig = {
    accountId: readAccountId(reader, environment),
    token: readToken(reader),
    name: readName(reader),
    type: reader.text('DELEGATE_TYPE') ?? 'DOCKER',
    description: reader.text('DELEGATE_DESCRIPTION') ?? '',
    tags: readTags(reader),
    managerUrl: managerUrl ?? '',
    logServiceUrl: reader.httpsUrl('LOG_STREAMING_SERVICE_URL') ?? `${managerUrl}/log-service`,
    clientCertificate: readCertificatePaths(reader),
    extraCaFiles: extraCaFile === null ? [] : [extraCaFile],
    managerProxy: proxyForManager ? proxy : null,
    taskProxy: proxy,
    pollOnly: reader.boolean('POLL_FOR_TASKS', false),
    health: {
      host: readHealthHost(reader, environment),
      port: reader.integer('DELEGATE_HEALTH_PORT', 3460, 0, 65_535),
    },
    unhealthyAfterMs: reader.integer('DELEGATE_UNHEALTHY_AFTER_SECONDS', 600, 1, 86_400) * 1000,
    // Ten seconds below the 600 that manifests give: what is left is for the last reports.
    gracePeriodMs: reader.integer('DELEGATE_GRACE_PERIOD_SECONDS', 590, 0, 86_400) * 1000,
    taskConcurrency: reader.integer('DELEGATE_TASK_CONCURRENCY', 10, 1, 1000),
    taskOutputLimitBytes: reader.integer('DELEGATE_TASK_OUTPUT_LIMIT_BYTES', 262_144, 1024, 1_048_576),
    logSpool: readLogSpool(reader),
    taskEnvironment: childEnvironment(environment),
    environment: () => environment,
    memoryThresholdPercent: reader.integer('DELEGATE_RESOURCE_THRESHOLD', 80, 1, 100),
    logLevel: reader.oneOf('DELEGATE_LOG_LEVEL', 'info', LOG_LEVELS),
    warnings: warningsOf(reader, environment),
    timings: DEFAULT_TIMINGS,
  };
  if (reader.problems.length > 0) throw new ConfigurationError(reader.problems);
  return Object.freeze(config);
}

function readAccountId(reader: EnvironmentReader, environment: Environment): string {
  const value = reader.required('ACCOUNT_ID', 'the identifier of the account');
  const token = environment['DELEGATE_TOKEN']?.trim() || environment['ACCOUNT_SECRET'] || '';
  const heldToken = normaliseDelegateToken(value);
  // 32 hex characters may be an account identifier: beside a good token only the same token is certainly none.
  if (heldToken !== null && [null, heldToken].includes(normaliseDelegateToken(token))) {
    reader.problem(
      'ACCOUNT_ID',
      'holds a delegate token. Are ACCOUNT_ID and DELEGATE_TOKEN swapped? Set it to the identifier of the account.',
    );
  } else if (value !== '' && !/^[A-Za-z0-9_-]{1,64}$/.test(value)) {
    reader.problem('ACCOUNT_ID', `"${value}" is not an account identifier (letters, digits, "-" and "_", at most 64).`);
  }
  return value;
}

function readToken(reader: EnvironmentReader): Secret {
  const name = reader.text('DELEGATE_TOKEN') === null ? 'ACCOUNT_SECRET' : 'DELEGATE_TOKEN';
  const value = reader.text(name);
  if (value === null) reader.problem('DELEGATE_TOKEN', 'is not set. Set it to a delegate token of the account.');
  else if (normaliseDelegateToken(value) === null) {
    reader.problem(name, 'is no delegate token. Give the 32 hex characters, or the base64 text that the API shows.');
  }
  return new Secret(value ?? '');
}

function readName(reader: EnvironmentReader): string {
  const value = reader.required('DELEGATE_NAME', 'a name for this delegate');
  if (value.length > 128) reader.problem('DELEGATE_NAME', 'is longer than 128 characters.');
  return value;
}

function readTags(reader: EnvironmentReader): string[] {
  const tags = (reader.text('DELEGATE_TAGS') ?? '').split(',').map((tag) => tag.trim());
  const named = [...new Set(tags.filter((tag) => tag !== ''))];
  if (named.length > 64) reader.problem('DELEGATE_TAGS', `has ${named.length} tags, more than 64.`);
  const long = named.find((tag) => tag.length > 128);
  if (long !== undefined) reader.problem('DELEGATE_TAGS', `"${long.slice(0, 20)}..." is longer than 128 characters.`);
  return named;
}

/** One path without the other is an error: going on would mean to connect without a certificate, unasked. */
function readCertificatePaths(reader: EnvironmentReader): DelegateConfig['clientCertificate'] {
  const before = reader.problems.length;
  const certificatePath = reader.path('DELEGATE_CLIENT_CERTIFICATE_PATH');
  const keyPath = reader.path('DELEGATE_CLIENT_CERTIFICATE_KEY_PATH');
  if (reader.problems.length > before) return null;
  if (certificatePath !== null && keyPath !== null) return { certificatePath, keyPath };
  if (certificatePath !== null) {
    reader.problem(
      'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH',
      'is not set, but DELEGATE_CLIENT_CERTIFICATE_PATH is. Set both or none.',
    );
  }
  if (keyPath !== null) {
    reader.problem(
      'DELEGATE_CLIENT_CERTIFICATE_PATH',
      'is not set, but DELEGATE_CLIENT_CERTIFICATE_KEY_PATH is. Set both or none.',
    );
  }
  return null;
}

/** By account and name, so that delegates which share a machine do not share a folder. */
function readLogSpool(reader: EnvironmentReader): DelegateConfig['logSpool'] {
  const owner = JSON.stringify([process.getuid?.(), reader.text('ACCOUNT_ID'), reader.text('DELEGATE_NAME')]);
  const name = createHash('sha256').update(owner).digest('hex').slice(0, 16);
  const directory = reader.path('DELEGATE_LOG_SPOOL_DIRECTORY');
  if (directory !== null && !isAbsolute(directory)) {
    reader.problem('DELEGATE_LOG_SPOOL_DIRECTORY', `"${directory}" is not an absolute path.`);
  }
  return {
    directory: directory ?? join(tmpdir(), `sallyport-logs-${name}`),
    limitBytes: reader.integer('DELEGATE_LOG_SPOOL_LIMIT_BYTES', 67_108_864, 0, 1_099_511_627_776),
  };
}

/** In Kubernetes the probes come to the pod's address; everywhere else nobody needs more than loopback unasked. */
function readHealthHost(reader: EnvironmentReader, environment: Environment): string | null {
  const host = reader.text('DELEGATE_HEALTH_HOST');
  if (host === null) return environment['KUBERNETES_SERVICE_HOST'] ? null : '127.0.0.1';
  if (host === '*') return null;
  if (!/^[A-Za-z0-9.:-]+$/.test(host))
    reader.problem('DELEGATE_HEALTH_HOST', `"${host}" is neither an address nor "*".`);
  return host;
}

function warningsOf(reader: EnvironmentReader, environment: Environment): string[] {
  const warnings = unknownVariables(environment).map(
    (name) => `${name} is set, but nothing reads it. Check its spelling.`,
  );
  if (reader.boolean('TRUST_ALL_CERTIFICATES', false)) {
    warnings.push(
      "TRUST_ALL_CERTIFICATES is not honoured: the manager's certificate is always verified. Give its CA in SALLYPORT_EXTRA_CA_FILE.",
    );
  }
  const { MANAGER_HOST_AND_PORT: manager, LOG_STREAMING_SERVICE_URL: logs } = environment;
  if (logs && manager && URL.parse(logs)?.origin !== URL.parse(manager)?.origin) {
    warnings.push(
      'LOG_STREAMING_SERVICE_URL names another host than MANAGER_HOST_AND_PORT: where mTLS is required, logs must go through the mTLS endpoint too.',
    );
  }
  return warnings;
}
