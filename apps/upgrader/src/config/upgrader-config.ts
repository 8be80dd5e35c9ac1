import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type ProxySettings, Secret } from '@sallyport/client';
import { normaliseDelegateToken } from '@sallyport/protocol';
import type { DockerConfigFile } from '../docker/registry-credentials.ts';
import { readConfigFile } from './config-file.ts';
import { checkKeys, type Environment, Settings } from './settings.ts';
import { readProxy } from './upgrader-proxy.ts';

/** Where the delegate runs. */
export type Target =
  | {
      readonly platform: 'kubernetes';
      readonly namespace: string;
      readonly workloadName: string;
      readonly containerName: string;
      readonly cronJobName: string;
      readonly cronJobContainerName: string;
      /** Null: the service account of the pod. */
      readonly kubeconfig: string | null;
    }
  | {
      readonly platform: 'docker';
      readonly containerName: string;
      readonly socketPath: string;
      /** The config.json of Docker with the credentials of registries. */
      readonly dockerConfig: DockerConfigFile;
      readonly registrationMs: number;
      /** Cron schedule; null: once. */
      readonly schedule: string | null;
    };

/** Which images are taken. */
export interface ImagePolicy {
  /** Repositories, `REGISTRY/PATH/*` or `REGISTRY/*`. Null: the one that the container has now. */
  readonly allowedRepositories: readonly string[] | null;
  readonly requireDigest: boolean;
  /** False: never an older version, whatever the manager says. */
  readonly acceptOlder: boolean;
  /** Prefix of every image, without a slash at its end; null: none. */
  readonly registryMirror: string | null;
}

export interface UpgraderConfig {
  readonly dryRun: boolean;
  readonly target: Target;
  readonly images: ImagePolicy;
  readonly accountId: string;
  readonly managerUrl: string;
  readonly token: Secret;
  readonly clientCertificate: { readonly certificatePath: string; readonly keyPath: string } | null;
  readonly proxy: ProxySettings | null;
  readonly extraCaFiles: readonly string[];
  /** For each call to the platform and to the manager. */
  readonly callTimeoutMs: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

/** Every problem at once, each with the key or variable that it is about. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`The configuration of the upgrader is not usable:\n${problems.map((each) => `  - ${each}`).join('\n')}`);
    this.problems = problems;
  }
}

/** What Kubernetes and Docker take as names: nothing that means something else in a path. */
const OBJECT_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const CONTAINER_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]+$/;
const DEFAULT_FILE = '/etc/config/config.yaml';
const DEFAULT_SOCKET = '/var/run/docker.sock';

/**
 * Reads the configuration file and the environment. Without a file, a docker upgrader is set up by its environment alone.
 * Throws ConfigurationError; no token or password is in it.
 */
export function readUpgraderConfig(environment: Environment = process.env): UpgraderConfig {
  const path = environment['UPGRADER_CONFIG'] ?? DEFAULT_FILE;
  const docker = environment['UPGRADER_WORKLOAD_NAME'] !== undefined;
  const text = readText(path, docker && environment['UPGRADER_CONFIG'] === undefined);
  const file =
    text === null ? { values: new Map(), lines: new Map(), malformed: [], problems: [] } : readConfigFile(text);
  const { problems } = file;
  const settings = new Settings(file, environment);
  settings.problems.push(...problems.map((problem) => `${path}: ${problem}`));
  if (problems.length === 0) {
    checkKeys(settings);
    const config = read(settings, docker);
    if (settings.problems.length === 0) return config;
  }
  throw new ConfigurationError(settings.problems);
}

function read(settings: Settings, docker: boolean): UpgraderConfig {
  const mode = settings.text('mode') ?? 'Delegate';
  if (mode !== 'Delegate') settings.problem('mode', `"${mode}" is not Delegate, the only mode there is.`);
  return {
    // Whoever asks for a dry run gets one, whatever the file says.
    dryRun: settings.boolean('dryRun', false) || settings.environment['UPGRADER_DRY_RUN'] === 'true',
    target: docker ? dockerTarget(settings) : kubernetesTarget(settings),
    images: {
      allowedRepositories: settings.repositories('allowedRepositories'),
      requireDigest: settings.boolean('requireDigest', false),
      acceptOlder: settings.boolean('acceptOlder', true),
      registryMirror: settings.mirror('registryMirror'),
    },
    accountId: settings.accountId(),
    managerUrl: settings.managerUrl(),
    token: readToken(settings),
    clientCertificate: readCertificate(settings),
    proxy: readProxy(settings),
    extraCaFiles: (settings.environment['SALLYPORT_EXTRA_CA_FILE'] ?? '').split(',').filter((file) => file !== ''),
    callTimeoutMs: 1000 * settings.integer('callTimeoutSeconds', 30, 1, 600),
    logLevel: settings.oneOf('logLevel', 'info', ['debug', 'info', 'warn', 'error']),
  };
}

function kubernetesTarget(settings: Settings): Target {
  const workloadName = settings.name('workloadName', 'the name of the Deployment', OBJECT_NAME);
  return {
    platform: 'kubernetes',
    namespace: settings.name('namespace', 'the namespace of the Deployment', OBJECT_NAME),
    workloadName,
    containerName: settings.optionalName('containerName', 'delegate', LABEL),
    cronJobName: settings.optionalName('cronJobName', `${workloadName}-upgrader-job`, OBJECT_NAME),
    cronJobContainerName: settings.optionalName('cronJobContainerName', 'upgrader', LABEL),
    kubeconfig: kubeconfigPath(settings.environment),
  };
}

/** The pod's service account is what a CronJob is given; a file is what a person points at. */
function kubeconfigPath(environment: Environment): string | null {
  if (environment['KUBECONFIG']) return environment['KUBECONFIG'];
  return environment['KUBERNETES_SERVICE_HOST'] ? null : join(environment['HOME'] ?? homedir(), '.kube', 'config');
}

function dockerTarget(settings: Settings): Target {
  return {
    platform: 'docker',
    containerName: settings.name('workloadName', 'the name of the container', CONTAINER_NAME),
    socketPath: settings.environment['UPGRADER_DOCKER_SOCKET'] ?? DEFAULT_SOCKET,
    dockerConfig: dockerConfigFile(settings.environment),
    registrationMs: settings.minutes('registrationMinutes', 5),
    schedule: settings.schedule(),
  };
}

/** Where `docker login` writes, unless another file is named. */
function dockerConfigFile(environment: Environment): DockerConfigFile {
  const named = environment['UPGRADER_DOCKER_CONFIG'];
  if (named) return { path: named, mayBeMissing: false };
  const folder = environment['DOCKER_CONFIG'] || join(environment['HOME'] ?? homedir(), '.docker');
  return { path: join(folder, 'config.json'), mayBeMissing: true };
}

function readToken(settings: Settings): Secret {
  const text = settings.environment['UPGRADER_TOKEN']?.trim() ?? '';
  if (text === '') settings.problems.push('UPGRADER_TOKEN: is not set. Set it to a delegate token of the account.');
  else if (normaliseDelegateToken(text) === null) {
    settings.problems.push(
      'UPGRADER_TOKEN: is no delegate token. Give the 32 hex characters, or the base64 text that the API shows.',
    );
  }
  return new Secret(text);
}

/** One path without the other is an error: going on would mean to connect without a certificate, unasked. */
function readCertificate(settings: Settings): UpgraderConfig['clientCertificate'] {
  const certificatePath = settings.text('clientCertificateFilePath');
  const keyPath = settings.text('clientCertificateKeyFilePath');
  if (certificatePath !== null && keyPath !== null) return { certificatePath, keyPath };
  if (certificatePath === null && keyPath === null) return null;
  const [set, missing] =
    keyPath === null
      ? ['clientCertificateFilePath', 'clientCertificateKeyFilePath']
      : ['clientCertificateKeyFilePath', 'clientCertificateFilePath'];
  settings.problem(missing, `is not set, but ${set} is. Set both or none.`);
  return null;
}

/** Null when there is no file and none is needed. */
function readText(path: string, mayBeMissing: boolean): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    if (code === 'ENOENT' && mayBeMissing) return null;
    throw new ConfigurationError([
      `${path}: cannot be read (${code}). Mount the ConfigMap there, or name the file in UPGRADER_CONFIG.`,
    ]);
  }
}
