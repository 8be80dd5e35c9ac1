import type { Environment } from './config/environment.ts';
import { CliError, usageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import type { Profile, Profiles } from './profiles.ts';

/** The options that every command takes. */
export interface GlobalOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly ca?: string;
  readonly profile?: string;
  readonly account?: string;
  readonly json?: boolean;
}

/** Where the API is and who asks; not yet tried. */
export interface Connection {
  readonly url: string;
  readonly key: string;
  readonly caFile: string | undefined;
  /** Undefined: nothing names an account, and the key is not one account's. */
  readonly account: string | undefined;
}

interface Source extends Partial<Profile> {
  readonly name: string;
}

/**
 * Options before a profile named by --profile, before the environment, before the profile of SALLYPORT_PROFILE or the
 * current one. Reads nothing but its arguments.
 */
export function resolveConnection(options: GlobalOptions, environment: Environment, stored: Profiles): Connection {
  const sources = connectionSources(options, environment, stored);
  const url = sources.find((source) => source.url !== undefined)?.url;
  if (url === undefined) {
    throw usageError(
      'No control plane is named.',
      'Run "sallyport login --url https://HOST:PORT", or give --url or SALLYPORT_URL.',
      `looked at --url, SALLYPORT_URL and ${stored.file}`,
    );
  }
  const origin = apiOrigin(url);
  // A key stored for one control plane must not travel to another one that --url, or somebody who can set one variable
  // of this process, names: what stands beside a different URL does not count.
  const fitting = sources.filter((source) => source.url === undefined || apiOrigin(source.url) === origin);
  const keySource = fitting.findIndex((source) => source.key !== undefined);
  const key = fitting[keySource]?.key;
  if (key === undefined) {
    const elsewhere = sources.find((source) => source.key !== undefined);
    throw new CliError(`There is no API key for ${url}.`, {
      code: 'NO_API_KEY',
      exit: EXIT.denied,
      remedy: `Run "sallyport login --url ${url}", or set SALLYPORT_API_KEY.`,
      ...(elsewhere === undefined ? {} : { detail: `the key of ${elsewhere.name} belongs to ${elsewhere.url}` }),
    });
  }
  return {
    url: origin,
    key,
    caFile: fitting.find((source) => source.caFile !== undefined)?.caFile,
    account:
      // A key given for this one command knows its account better than a profile that was stored for another key.
      accountIn(fitting.slice(0, keySource + 1)) ?? accountOfKey(key) ?? accountIn(fitting),
  };
}

const accountIn = (sources: readonly Source[]) => sources.find((source) => source.account !== undefined)?.account;

function connectionSources(options: GlobalOptions, environment: Environment, stored: Profiles): Source[] {
  const named = options.profile === undefined ? undefined : profileSource(stored, options.profile, '--profile');
  const fallbackName = options.profile === undefined ? (environment.profile ?? stored.current) : null;
  const fallback =
    fallbackName === null
      ? undefined
      : profileSource(
          stored,
          fallbackName,
          environment.profile === undefined ? 'the current profile' : 'SALLYPORT_PROFILE',
        );
  const given = {
    name: 'the command line',
    ...present({ url: options.url, key: options.apiKey, caFile: options.ca, account: options.account }),
  };
  const fromEnvironment = {
    name: 'the environment',
    ...present({
      url: environment.url,
      key: environment.apiKey,
      caFile: environment.caFile,
      account: environment.account,
    }),
  };
  return [given, named, fromEnvironment, fallback].filter((source) => source !== undefined);
}

function profileSource(stored: Profiles, name: string, from: string): Source {
  const profile = stored.profiles.get(name);
  if (profile !== undefined) return { name: `profile "${name}"`, ...profile };
  const known = [...stored.profiles.keys()];
  throw usageError(
    `There is no profile "${name}".`,
    known.length === 0 ? 'Run "sallyport login" to make one.' : `Name one of: ${known.join(', ')}.`,
    `named by ${from}, looked for in ${stored.file}`,
  );
}

/** The URL as `https://host[:port]`, after checking that it is one. A path is refused: the API has fixed paths. */
export function apiOrigin(text: string): string {
  const remedy = 'Give it as https://HOST:PORT, for example https://127.0.0.1:7443.';
  if (!URL.canParse(text)) throw usageError(`"${text}" is not a URL.`, remedy);
  const url = new URL(text);
  // Over plain HTTP everybody on the way reads the key.
  if (url.protocol !== 'https:') throw usageError(`"${text}" does not start with https://.`, remedy);
  if (url.username !== '' || url.password !== '') throw usageError('The URL holds a user name or password.', remedy);
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw usageError(`"${text}" has something after the port.`, remedy);
  }
  return url.origin;
}

/** An account's key names its account in the second of its four parts: pat.<account>.<uuid>.<secret>. */
export function accountOfKey(key: string): string | undefined {
  const parts = key.split('.');
  return parts.length === 4 ? parts[1] : undefined;
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function present<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>;
}
