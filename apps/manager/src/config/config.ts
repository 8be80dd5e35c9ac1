import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { parseImageReference } from '@sallyport/protocol';
import { DEFAULT_LIMIT_SETTINGS, type LimitSettings } from '../gateway/limits.ts';
import type { S3Credentials } from '../logs/blob-storage.ts';
import type { HaltingRule } from '../upgrades/halting-rule.ts';
import type { ReceiverRules } from '../webhooks/receiver-address.ts';
import { LOG_SETTINGS, type LogSettings, readLogSettings } from './log-settings.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Validated and frozen. Holds no secret: those are in Secrets, so that a config can be logged whole. */
export interface Config {
  readonly dataDirectory: string;
  /** PostgreSQL URL, or null for the embedded SQLite database in the data directory. Logged only without its password. */
  readonly usesPostgres: boolean;
  readonly publicListen: ListenAddress;
  readonly mtlsListen: ListenAddress;
  /** Port in the URL that endpoints advertise; differs from the listening port behind a TCP load balancer. Null: the one listened on. */
  readonly mtlsAdvertisedPort: number | null;
  /** `agent.<base domain>`; null when none is configured: every mTLS endpoint call then answers FEATURE_UNAVAILABLE. */
  readonly agentDomain: string | null;
  readonly tls: { readonly minVersion: 'TLSv1.2' | 'TLSv1.3'; readonly files: TlsFiles | null };
  /** True when both listeners are on loopback: only then may certificates and keys be generated for convenience. */
  readonly local: boolean;
  readonly logLevel: LogLevel;
  /** How long a delegate may be away before its running tasks fail with that reason. */
  readonly delegateLostAfterMs: number;
  /** How long tasks are kept once they have ended. */
  readonly tasksKeptForMs: number;
  /** Loopback address that serves metrics without a key; null: only the API does, to operators. */
  readonly metricsListen: ListenAddress | null;
  readonly limits: LimitSettings;
  readonly logs: LogSettings;
  readonly webhooks: WebhookSettings;
  /** Endpoints whose client certificates metrics report by name; 0 for none. */
  readonly metricsEndpoints: number;
  readonly upgrades: UpgradeSettings;
  /** Images in the files that install delegates; null: no such file is made, or one without an upgrader. */
  readonly images: { readonly delegate: string | null; readonly upgrader: string | null };
}

export interface UpgradeSettings {
  /** When a version is given out no more. */
  readonly rule: HaltingRule;
  /** How long a delegate that took a version has to come back. */
  readonly watchMs: number;
}

export interface WebhookSettings extends ReceiverRules {
  /** PEM file of CAs that receivers' certificates may come from, besides the public ones. */
  readonly caFile: string | null;
}

export interface TlsFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface Secrets {
  readonly databaseUrl: string | null;
  /** 32 bytes; null means: read or make the key file in the data directory (local only). */
  readonly masterKey: Buffer | null;
  readonly masterKeyFile: string | null;
  /** For the storage of finished logs; null: from where the AWS SDK finds them. */
  readonly s3Credentials: S3Credentials | null;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Every problem of the environment at once: the start stops here, and each value that is wrong is named. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

const KNOWN = [
  'SALLYPORT_DATA_DIR',
  'SALLYPORT_DATABASE_URL',
  'SALLYPORT_PUBLIC_LISTEN',
  'SALLYPORT_MTLS_LISTEN',
  'SALLYPORT_MTLS_ADVERTISED_PORT',
  'SALLYPORT_BASE_DOMAIN',
  'SALLYPORT_TLS_CERTIFICATE_FILE',
  'SALLYPORT_TLS_KEY_FILE',
  'SALLYPORT_TLS_MIN_VERSION',
  'SALLYPORT_MASTER_KEY',
  'SALLYPORT_MASTER_KEY_FILE',
  'SALLYPORT_LOG_LEVEL',
  'SALLYPORT_DELEGATE_LOST_AFTER_SECONDS',
  'SALLYPORT_TASK_RETENTION_DAYS',
  'SALLYPORT_METRICS_LISTEN',
  'SALLYPORT_METRICS_ENDPOINTS',
  'SALLYPORT_WEBHOOK_PRIVATE_ADDRESSES',
  'SALLYPORT_WEBHOOK_LOOPBACK_HTTP',
  'SALLYPORT_WEBHOOK_CA_FILE',
  'SALLYPORT_DELEGATE_IMAGE',
  'SALLYPORT_UPGRADER_IMAGE',
  'SALLYPORT_LIMIT_HANDSHAKES_IN_FLIGHT',
  'SALLYPORT_LIMIT_SOURCE_CONNECTIONS',
  'SALLYPORT_LIMIT_SOURCE_HANDSHAKES_PER_SECOND',
  'SALLYPORT_LIMIT_SOURCE_REQUESTS_PER_SECOND',
  'SALLYPORT_LIMIT_ACCOUNT_CONNECTIONS',
  'SALLYPORT_LIMIT_ACCOUNT_REQUESTS_PER_SECOND',
  'SALLYPORT_UPGRADE_FAILURE_PERCENT',
  'SALLYPORT_UPGRADE_FAILURES_AT_LEAST',
  'SALLYPORT_UPGRADE_WATCH_MINUTES',
  ...LOG_SETTINGS,
] as const;
type Known = (typeof KNOWN)[number];

/** Read by the command line, the delegate or the tests; not ours, and no mistake. */
const READ_ELSEWHERE: readonly string[] = [
  'SALLYPORT_URL',
  'SALLYPORT_API_KEY',
  'SALLYPORT_CA_FILE',
  'SALLYPORT_PROFILE',
  'SALLYPORT_CONFIG_DIR',
  'SALLYPORT_ACCOUNT',
  'SALLYPORT_EXTRA_CA_FILE',
  'SALLYPORT_TEST_POSTGRES_URL',
];

/** What Kubernetes puts into every pod beside a Service named sallyport or sallyport-something. */
const SERVICE_LINK =
  /^SALLYPORT_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** Environment -> validated config and secrets. Throws ConfigError naming every unknown or malformed SALLYPORT_ value. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): {
  config: Config;
  secrets: Secrets;
} {
  const problems: string[] = [];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('SALLYPORT_') || READ_ELSEWHERE.includes(name) || SERVICE_LINK.test(name)) continue;
    if (!(KNOWN as readonly string[]).includes(name)) {
      problems.push(`${name} is not a setting. Known settings: ${KNOWN.join(', ')}`);
    }
  }
  const value = (name: Known): string | null => {
    const text = environment[name]?.trim();
    return text === undefined || text === '' ? null : text;
  };
  const parse = <T>(name: Known, fallback: T, read: (text: string) => T | string): T => {
    const text = value(name);
    if (text === null) return fallback;
    const result = read(text);
    if (typeof result !== 'string') return result;
    problems.push(`${name}: ${result}`);
    return fallback;
  };

  const publicListen = parse('SALLYPORT_PUBLIC_LISTEN', { host: '127.0.0.1', port: 7443 }, readListenAddress);
  const mtlsListen = parse('SALLYPORT_MTLS_LISTEN', { host: '127.0.0.1', port: 8443 }, readListenAddress);
  const local = isLoopback(publicListen.host) && isLoopback(mtlsListen.host);
  const dataDirectory = resolve(value('SALLYPORT_DATA_DIR') ?? '.sallyport');
  const baseDomain = parse<{ name: string } | null>(
    'SALLYPORT_BASE_DOMAIN',
    local ? { name: 'localhost' } : null,
    readDomain,
  );
  const databaseUrl = parse<{ url: string } | null>('SALLYPORT_DATABASE_URL', null, readDatabaseUrl)?.url ?? null;
  const masterKey = parse<Buffer | null>('SALLYPORT_MASTER_KEY', null, readMasterKey);
  const masterKeyFile = value('SALLYPORT_MASTER_KEY_FILE');
  if (masterKey !== null && masterKeyFile !== null) {
    problems.push('SALLYPORT_MASTER_KEY and SALLYPORT_MASTER_KEY_FILE are both set: set one');
  }

  const certificateFile = value('SALLYPORT_TLS_CERTIFICATE_FILE');
  const keyFile = value('SALLYPORT_TLS_KEY_FILE');
  let files: TlsFiles | null = null;
  if (certificateFile !== null && keyFile !== null) {
    files = { certificateFile: resolve(certificateFile), keyFile: resolve(keyFile) };
  } else if (certificateFile !== null || keyFile !== null) {
    problems.push('SALLYPORT_TLS_CERTIFICATE_FILE and SALLYPORT_TLS_KEY_FILE belong together: set both or none');
  }

  // What is reachable from elsewhere gets no certificate or key that we made up: the operator brings them.
  if (!local && files === null) {
    problems.push(
      'SALLYPORT_TLS_CERTIFICATE_FILE and SALLYPORT_TLS_KEY_FILE are needed to listen on an address that is not loopback',
    );
  }
  if (masterKey === null && masterKeyFile === null && (!local || databaseUrl !== null)) {
    problems.push(
      'SALLYPORT_MASTER_KEY or SALLYPORT_MASTER_KEY_FILE is needed with PostgreSQL or on an address that is not loopback ' +
        '(make one with: openssl rand -hex 32)',
    );
  }

  const limit = (name: Known & `SALLYPORT_LIMIT_${string}`, fallback: number): number =>
    parse(name, fallback, (text) => readInteger(text, 0, 10_000_000));

  const logs = readLogSettings({
    value,
    integer: (name, fallback, minimum, maximum) => parse(name, fallback, (text) => readInteger(text, minimum, maximum)),
    problem: (text) => void problems.push(text),
  });

  const config: Config = Object.freeze({
    dataDirectory,
    usesPostgres: databaseUrl !== null,
    publicListen,
    mtlsListen,
    mtlsAdvertisedPort: parse<number | null>('SALLYPORT_MTLS_ADVERTISED_PORT', null, (text) =>
      readInteger(text, 1, 65535),
    ),
    agentDomain: baseDomain === null ? null : `agent.${baseDomain.name}`,
    tls: Object.freeze({
      files,
      minVersion: parse<{ v: 'TLSv1.2' | 'TLSv1.3' }>('SALLYPORT_TLS_MIN_VERSION', { v: 'TLSv1.3' }, (text) =>
        text === '1.2' ? { v: 'TLSv1.2' } : text === '1.3' ? { v: 'TLSv1.3' } : `"${text}" is neither 1.2 nor 1.3`,
      ).v,
    }),
    local,
    logLevel: parse<{ level: LogLevel }>('SALLYPORT_LOG_LEVEL', { level: 'info' }, (text) => {
      const level = LOG_LEVELS.find((known) => known === text);
      return level === undefined ? `"${text}" is none of ${LOG_LEVELS.join(', ')}` : { level };
    }).level,
    tasksKeptForMs: 86_400_000 * parse('SALLYPORT_TASK_RETENTION_DAYS', 30, (text) => readInteger(text, 1, 3_650)),
    delegateLostAfterMs:
      1000 * parse('SALLYPORT_DELEGATE_LOST_AFTER_SECONDS', 60, (text) => readInteger(text, 5, 86_400)),
    metricsListen: parse<ListenAddress | null>('SALLYPORT_METRICS_LISTEN', null, readLoopbackAddress),
    metricsEndpoints: parse('SALLYPORT_METRICS_ENDPOINTS', 20, (text) => readInteger(text, 0, 1_000)),
    webhooks: Object.freeze({
      privateAddresses: parse('SALLYPORT_WEBHOOK_PRIVATE_ADDRESSES', { allowed: false }, readPermission).allowed,
      loopbackHttp: parse('SALLYPORT_WEBHOOK_LOOPBACK_HTTP', { allowed: false }, readPermission).allowed,
      caFile: value('SALLYPORT_WEBHOOK_CA_FILE'),
    }),
    images: Object.freeze({
      delegate: parse<{ image: string } | null>('SALLYPORT_DELEGATE_IMAGE', null, readImage)?.image ?? null,
      upgrader: parse<{ image: string } | null>('SALLYPORT_UPGRADER_IMAGE', null, readImage)?.image ?? null,
    }),
    upgrades: Object.freeze({
      rule: Object.freeze({
        failurePercent: parse('SALLYPORT_UPGRADE_FAILURE_PERCENT', 20, (text) => readInteger(text, 1, 100)),
        failuresAtLeast: parse('SALLYPORT_UPGRADE_FAILURES_AT_LEAST', 3, (text) => readInteger(text, 1, 10_000)),
      }),
      watchMs: 60_000 * parse('SALLYPORT_UPGRADE_WATCH_MINUTES', 30, (text) => readInteger(text, 1, 1440)),
    }),
    logs: logs.settings,
    limits: Object.freeze({
      handshakesInFlight: limit('SALLYPORT_LIMIT_HANDSHAKES_IN_FLIGHT', DEFAULT_LIMIT_SETTINGS.handshakesInFlight),
      sourceConnections: limit('SALLYPORT_LIMIT_SOURCE_CONNECTIONS', DEFAULT_LIMIT_SETTINGS.sourceConnections),
      sourceHandshakesPerSecond: limit(
        'SALLYPORT_LIMIT_SOURCE_HANDSHAKES_PER_SECOND',
        DEFAULT_LIMIT_SETTINGS.sourceHandshakesPerSecond,
      ),
      sourceRequestsPerSecond: limit(
        'SALLYPORT_LIMIT_SOURCE_REQUESTS_PER_SECOND',
        DEFAULT_LIMIT_SETTINGS.sourceRequestsPerSecond,
      ),
      accountConnections: limit('SALLYPORT_LIMIT_ACCOUNT_CONNECTIONS', DEFAULT_LIMIT_SETTINGS.accountConnections),
      accountRequestsPerSecond: limit(
        'SALLYPORT_LIMIT_ACCOUNT_REQUESTS_PER_SECOND',
        DEFAULT_LIMIT_SETTINGS.accountRequestsPerSecond,
      ),
    }),
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    config,
    secrets: Object.freeze({
      databaseUrl,
      masterKey,
      s3Credentials: logs.credentials,
      masterKeyFile: masterKeyFile ?? (local && databaseUrl === null ? join(dataDirectory, 'master.key') : null),
    }),
  };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function readListenAddress(text: string): ListenAddress | string {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= 65535)) return `"${text}" is not HOST:PORT, such as 127.0.0.1:7443 or [::]:7443`;
  if (isIP(host) === 0 && host !== 'localhost') return `"${host}" is not an IP address (0.0.0.0 or [::] for all)`;
  return { host, port };
}

/** Metrics tell who is busy and what is refused, and this listener asks nobody for a key. */
function readLoopbackAddress(text: string): ListenAddress | string {
  const address = readListenAddress(text);
  if (typeof address === 'string' || isLoopback(address.host)) return address;
  return `${address.host} is not loopback; from elsewhere, scrape /metrics of the public listener with an operator key`;
}

function readDomain(text: string): { name: string } | string {
  const name = text.toLowerCase();
  const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
  if (!new RegExp(`^${label}(\\.${label})*$`).test(name)) return `"${text}" is not a domain name`;
  // "agent." and the longest prefix label (63) and its dot still have to fit into 253 characters.
  return name.length > 183 ? `"${text}" is longer than 183 characters` : { name };
}

function readImage(text: string): { image: string } | string {
  const reference = parseImageReference(text);
  if (reference !== null && (reference.tag !== null || reference.digest !== null)) return { image: text };
  return `"${text}" is not an image with its tag, such as registry.example.com/delegate:25.09.86700`;
}

function readDatabaseUrl(text: string): { url: string } | string {
  // The value may hold a password: never repeat it.
  if (!URL.canParse(text)) return 'is not a URL such as postgres://user@host/database';
  const { protocol } = new URL(text);
  return protocol === 'postgres:' || protocol === 'postgresql:' ? { url: text } : `${protocol}// is not postgres://`;
}

/** 32 bytes as 64 hex characters or as base64. Never repeats the value. */
export function readMasterKey(text: string): Buffer | string {
  const trimmed = text.trim();
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return Buffer.from(trimmed, 'hex');
  if (/^[A-Za-z0-9+/]{43}=$/.test(trimmed)) return Buffer.from(trimmed, 'base64');
  return 'is not 32 bytes as 64 hex characters or base64 (make one with: openssl rand -hex 32)';
}

function readPermission(text: string): { allowed: boolean } | string {
  return text === 'allow' || text === 'refuse'
    ? { allowed: text === 'allow' }
    : `"${text}" is neither allow nor refuse`;
}

function readInteger(text: string, minimum: number, maximum: number): number | string {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= minimum && number <= maximum) return number;
  return `"${text}" is not a whole number from ${minimum} to ${maximum}`;
}
