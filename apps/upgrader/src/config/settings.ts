import { parseImageReference } from '@sallyport/protocol';
import { isRegistryAlone, parseAllowedRepository } from '../decision/allowed-repositories.ts';
import { CronSchedule } from '../schedule.ts';
import type { ConfigFile, ConfigValue } from './config-file.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Keys of config.yaml, and the environment variable that stands for one in the docker form. */
export const KEYS: Readonly<Record<string, string | null>> = {
  mode: null,
  dryRun: 'UPGRADER_DRY_RUN',
  workloadName: 'UPGRADER_WORKLOAD_NAME',
  namespace: null,
  containerName: null,
  clientCertificateFilePath: 'UPGRADER_CLIENT_CERTIFICATE_PATH',
  clientCertificateKeyFilePath: 'UPGRADER_CLIENT_CERTIFICATE_KEY_PATH',
  registryMirror: 'UPGRADER_REGISTRY_MIRROR',
  'delegateConfig.accountId': 'ACCOUNT_ID',
  'delegateConfig.managerHost': 'MANAGER_HOST_AND_PORT',
  proxyScheme: 'PROXY_SCHEME',
  proxyHost: 'PROXY_HOST',
  proxyPort: 'PROXY_PORT',
  proxyUser: 'PROXY_USER',
  proxyPassword: 'PROXY_PASSWORD',
  allowedRepositories: 'UPGRADER_ALLOWED_REPOSITORIES',
  requireDigest: 'UPGRADER_REQUIRE_DIGEST',
  acceptOlder: 'UPGRADER_ACCEPT_OLDER',
  registrationMinutes: 'UPGRADER_REGISTRATION_MINUTES',
  callTimeoutSeconds: 'UPGRADER_CALL_TIMEOUT_SECONDS',
  cronJobName: null,
  cronJobContainerName: null,
  logLevel: 'UPGRADER_LOG_LEVEL',
};

/** A key that nothing reads is a setting that somebody believes to be in force. */
export function checkKeys(settings: Settings): void {
  for (const key of [...settings.values.keys(), ...settings.malformed]) {
    const inner = Object.keys(KEYS).filter((known) => known.startsWith(`${key}.`));
    if (inner.length > 0) settings.problem(key, `is not a mapping with ${inner.join(' and ')}.`);
    else if (!Object.hasOwn(KEYS, key)) {
      settings.problem(key, `is not a key of the upgrader. Known keys: ${Object.keys(KEYS).join(', ')}.`);
    } else if (!settings.values.has(key)) settings.problem(key, 'is neither a text nor a list of texts.');
  }
  for (const [name, value] of Object.entries(settings.environment)) {
    if (!name.startsWith('UPGRADER_') || VARIABLES.has(name) || isServiceLink(name, value ?? '')) continue;
    settings.problems.push(`${name}: is not a variable of the upgrader. Known ones: ${[...VARIABLES].join(', ')}.`);
  }
}

const VARIABLES: ReadonlySet<string> = new Set([
  'UPGRADER_CONFIG',
  'UPGRADER_TOKEN',
  'UPGRADER_DOCKER_SOCKET',
  'UPGRADER_DOCKER_CONFIG',
  ...Object.values(KEYS).filter((name) => name?.startsWith('UPGRADER_') === true),
] as string[]);

/** What Kubernetes puts into a pod beside a Service whose name begins with upgrader, such as upgrader-metrics. */
function isServiceLink(name: string, value: string): boolean {
  if (/_PORT$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value)) return true;
  return /_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/.test(name);
}

/** Reads settings from the file, or from the environment where the file has none, and collects what is wrong with them. */
export class Settings {
  readonly problems: string[] = [];
  readonly values: ReadonlyMap<string, ConfigValue>;
  readonly environment: Environment;

  readonly malformed: readonly string[];
  readonly #lines: ReadonlyMap<string, number>;

  constructor({ values, lines, malformed }: Omit<ConfigFile, 'problems'>, environment: Environment) {
    this.values = values;
    this.malformed = malformed;
    this.#lines = lines;
    this.environment = environment;
  }

  text(key: string): string | null {
    const value = this.values.get(key) ?? this.#variable(key);
    if (value === undefined || value === null) return null;
    if (typeof value === 'object') {
      this.problem(key, 'is a list, not a text.');
      return null;
    }
    const text = value.trim();
    if (text === '') return null;
    if (!text.startsWith('PUT_YOUR_')) return text;
    this.problem(key, `still holds the placeholder of the manifest (${text}).`);
    return null;
  }

  required(key: string, what: string): string {
    const before = this.problems.length;
    const value = this.text(key);
    if (value === null && this.problems.length === before) this.problem(key, `is not set. Set it to ${what}.`);
    return value ?? '';
  }

  name(key: string, what: string, pattern: RegExp): string {
    const value = this.required(key, what);
    if (value !== '' && !pattern.test(value))
      this.problem(key, `${JSON.stringify(value)} is not a name. Set it to ${what}.`);
    return value;
  }

  optionalName(key: string, fallback: string, pattern: RegExp): string {
    return this.text(key) === null ? fallback : this.name(key, 'a name, or remove the key', pattern);
  }

  boolean(key: string, fallback: boolean): boolean {
    const text = this.text(key)?.toLowerCase();
    if (text === undefined) return fallback;
    if (text !== 'true' && text !== 'false') this.problem(key, `"${text}" is neither true nor false.`);
    return text === 'true';
  }

  integer(key: string, fallback: number, lowest: number, highest: number): number {
    const text = this.text(key);
    if (text === null) return fallback;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= lowest && value <= highest) return value;
    this.problem(key, `"${text}" is not a whole number from ${lowest} to ${highest}.`);
    return fallback;
  }

  /** In milliseconds; parts of a minute may be given as a decimal fraction. */
  minutes(key: string, fallback: number): number {
    const text = this.text(key) ?? String(fallback);
    const minutes = /^\d+(\.\d{1,2})?$/.test(text) ? Number(text) : 0;
    if (minutes <= 0 || minutes > 120) this.problem(key, `"${text}" is not a number of minutes, at most 120.`);
    return minutes * 60_000;
  }

  oneOf<T extends string>(key: string, fallback: T, values: readonly T[]): T {
    const text = this.text(key);
    if (text === null) return fallback;
    const value = values.find((candidate) => candidate === text);
    if (value === undefined) this.problem(key, `"${text}" is none of ${values.join(', ')}.`);
    return value ?? fallback;
  }

  accountId(): string {
    const key = 'delegateConfig.accountId';
    const value = this.required(key, 'the identifier of the account');
    if (value !== '' && !/^[A-Za-z0-9_-]{1,64}$/.test(value)) {
      this.problem(key, `"${value}" is not an account identifier (letters, digits, "-" and "_", at most 64).`);
    }
    return value;
  }

  managerUrl(): string {
    const key = 'delegateConfig.managerHost';
    const text = this.required(key, "the manager's address, https://host[:port]");
    const url = URL.parse(text);
    if (text === '') return '';
    if (url?.protocol !== 'https:') this.problem(key, 'is not an https:// URL. Give scheme, host and port.');
    else if (`${url.username}${url.password}${url.search}${url.hash}` !== '') {
      this.problem(key, 'must not hold a user, a password, a query or a fragment.');
    }
    return text.replace(/\/+$/, '');
  }

  /** Null when not set. An entry is a repository, or one with `/*` behind it for everything below. */
  repositories(key: string): readonly string[] | null {
    const value = this.values.get(key) ?? this.#variable(key)?.split(',');
    if (value === undefined) return null;
    const entries = (typeof value === 'string' ? [value] : value).map((entry) => entry.trim());
    for (const entry of entries) {
      // A name and a tag look like a registry and a port.
      if (isRegistryAlone(entry) && /^([^:]*\.|localhost)/.test(entry)) {
        this.problem(key, `"${entry}" is a registry, not a repository: write "${entry}/*" for all that is in it.`);
      } else if (parseAllowedRepository(entry) === null) {
        this.problem(key, `"${entry}" is neither a repository, such as harness/delegate, nor one with "/*" behind it.`);
      }
    }
    if (entries.length === 0)
      this.problem(key, 'is empty: then no image is taken. Name a repository, or remove the key.');
    return entries;
  }

  mirror(key: string): string | null {
    const text = this.text(key)?.replace(/\/+$/, '') ?? null;
    if (text !== null && parseImageReference(`${text}/harness/delegate`)?.registry !== text.split('/')[0]) {
      this.problem(
        key,
        `"${text}" is not a registry, such as registry.example.com:5000 or registry.example.com/mirror.`,
      );
    }
    return text;
  }

  schedule(): string | null {
    const text = this.environment['SCHEDULE']?.trim() ?? '';
    if (text === '') return null;
    if (CronSchedule.parse(text) === null) {
      this.problems.push(`SCHEDULE: "${text}" is not a cron schedule of five fields, such as "0 */1 * * *".`);
    }
    return text;
  }

  problem(key: string, what: string): void {
    const variable = this.values.has(key) ? null : KEYS[key];
    const name = variable && this.environment['UPGRADER_WORKLOAD_NAME'] !== undefined ? variable : key;
    const line = this.#lines.get(key);
    this.problems.push(`${name}: ${what}${line === undefined ? '' : ` (line ${line})`}`);
  }

  #variable(key: string): string | null {
    const name = KEYS[key];
    const value = name === undefined || name === null ? undefined : this.environment[name];
    return value === undefined || value.trim() === '' ? null : value;
  }
}
