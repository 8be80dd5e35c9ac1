import { type ProxySettings, readProxySettings } from '@sallyport/client';
import type { Settings } from './settings.ts';

const KEYS_OF_PROXY = [
  ['PROXY_SCHEME', 'proxyScheme'],
  ['PROXY_HOST', 'proxyHost'],
  ['PROXY_PORT', 'proxyPort'],
  ['PROXY_USER', 'proxyUser'],
  ['PROXY_PASSWORD', 'proxyPassword'],
] as const;

/** The proxy of the keys proxyHost and so on, or of the environment as every program reads it; NO_PROXY holds for both. */
export function readProxy(settings: Settings): ProxySettings | null {
  const { environment } = settings;
  const named = Object.fromEntries(KEYS_OF_PROXY.map(([variable, key]) => [variable, settings.text(key) ?? undefined]));
  const { proxy, problems } = readProxySettings({ ...environment, ...named });
  for (const problem of problems) {
    // Who wrote it into the file looks for the key.
    const key = KEYS_OF_PROXY.find(([variable]) => problem.startsWith(`${variable}:`))?.[1];
    if (key === undefined || !settings.values.has(key)) settings.problems.push(problem);
    else settings.problem(key, inKeys(problem.slice(problem.indexOf(':') + 2)));
  }
  return proxy;
}

const inKeys = (text: string): string =>
  KEYS_OF_PROXY.reduce((so, [variable, key]) => so.replaceAll(variable, `${key} (${variable})`), text);
