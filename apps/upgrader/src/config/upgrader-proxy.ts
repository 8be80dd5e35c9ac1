import { type ProxySettings, readProxySettings } from '@sallyport/client';
import type { Settings } from './settings.ts';

/** The proxy of the keys proxyHost and so on, or of the environment as every program reads it; NO_PROXY holds for both. */
export function readProxy(settings: Settings): ProxySettings | null {
  const { environment } = settings;
  const named = {
    PROXY_SCHEME: settings.text('proxyScheme') ?? undefined,
    PROXY_HOST: settings.text('proxyHost') ?? undefined,
    PROXY_PORT: settings.text('proxyPort') ?? undefined,
    PROXY_USER: settings.text('proxyUser') ?? undefined,
    PROXY_PASSWORD: settings.text('proxyPassword') ?? undefined,
  };
  const { proxy, problems } = readProxySettings({ ...environment, ...named });
  settings.problems.push(...problems);
  return proxy;
}
