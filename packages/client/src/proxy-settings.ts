import { bypassesProxy, type NoProxyRule, parseNoProxy } from './no-proxy.ts';
import { Secret } from './secret.ts';

/** How outgoing connections leave the machine: through an HTTP proxy by CONNECT, except to the hosts in `noProxy`. */
export interface ProxySettings {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Value of `Proxy-Authorization`. */
  readonly authorization: Secret | null;
  readonly noProxy: readonly NoProxyRule[];
}

export interface ProxyReading {
  /** Null when the environment names none. */
  readonly proxy: ProxySettings | null;
  /** One sentence for each malformed variable: a proxy that is half understood must stop the start. */
  readonly problems: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy to use for `hostname`, or null for a direct connection. */
export function proxyFor(proxy: ProxySettings | null, hostname: string, port: number): ProxySettings | null {
  return proxy !== null && bypassesProxy(proxy.noProxy, hostname, port) ? null : proxy;
}

/**
 * Reads PROXY_HOST, PROXY_PORT, PROXY_SCHEME, PROXY_USER, PROXY_PASSWORD (the delegate's names, which win) or
 * HTTPS_PROXY / https_proxy, and NO_PROXY / no_proxy. Problems never show a password.
 */
export function readProxySettings(environment: Environment): ProxyReading {
  const value = (...names: string[]) => names.map((name) => environment[name]?.trim()).find((text) => text) ?? null;
  const problems: string[] = [];
  const noProxyText = value('NO_PROXY', 'no_proxy') ?? '';
  const noProxy = parseNoProxy(noProxyText);
  problems.push(...noProxy.problems.map((problem) => `NO_PROXY: ${problem}`));

  const host = value('PROXY_HOST');
  if (host === null) {
    const stray = ['PROXY_PORT', 'PROXY_USER', 'PROXY_PASSWORD'].filter((name) => value(name) !== null);
    if (stray.length > 0) problems.push(`${stray.join(', ')}: set without PROXY_HOST. Set PROXY_HOST or remove them.`);
    const url = value('https_proxy', 'HTTPS_PROXY');
    const proxy = url === null ? null : fromUrl(url, noProxy.rules, problems);
    return { proxy, problems };
  }
  if (!/^[A-Za-z0-9.:_-]+$/.test(host))
    problems.push('PROXY_HOST: not a host name. Give the name alone, without scheme.');
  const scheme = (value('PROXY_SCHEME') ?? 'http').toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') problems.push(`PROXY_SCHEME: "${scheme}" is not http or https.`);
  const port = Number(value('PROXY_PORT') ?? (scheme === 'https' ? '443' : '80'));
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    problems.push(`PROXY_PORT: "${value('PROXY_PORT')}" is not a port (1 to 65535).`);
  }
  const user = value('PROXY_USER');
  const password = environment['PROXY_PASSWORD'] ?? '';
  if (user === null && password !== '') problems.push('PROXY_PASSWORD: set without PROXY_USER. Set PROXY_USER too.');
  if (problems.length > 0) return { proxy: null, problems };
  const authorization = user === null ? null : basic(user, password);
  return { proxy: { scheme: scheme as 'http' | 'https', host, port, authorization, noProxy: noProxy.rules }, problems };
}

function fromUrl(text: string, noProxy: readonly NoProxyRule[], problems: string[]): ProxySettings | null {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    problems.push('HTTPS_PROXY: not a proxy URL. Give http://host:port or https://host:port.');
    return null;
  }
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port);
  try {
    const user = decodeURIComponent(url.username);
    const authorization = user === '' ? null : basic(user, decodeURIComponent(url.password));
    return { scheme, host: url.hostname.replace(/^\[|\]$/g, ''), port, authorization, noProxy };
  } catch {
    problems.push('HTTPS_PROXY: user or password has a "%" that is not an escape. Write "%" as %25.');
    return null;
  }
}

function basic(user: string, password: string): Secret {
  return new Secret(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`);
}
