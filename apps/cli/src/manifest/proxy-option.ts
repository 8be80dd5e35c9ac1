import type { ProxyOptions } from '@sallyport/manifest';
import { readLocalText } from '../cert/local-files.ts';
import { usageError } from '../errors.ts';

const REMEDY = 'Give it as http://HOST:PORT or https://HOST:PORT, with USER@ before the host where it asks for one.';

/** The proxy of --proxy, --proxy-password-file and --proxy-bypass; undefined when there is none. */
export async function proxyOf(options: {
  readonly proxy?: string;
  readonly proxyPasswordFile?: string;
  readonly proxyBypass?: string;
}): Promise<ProxyOptions | undefined> {
  const { proxy, proxyPasswordFile, proxyBypass } = options;
  if (proxy === undefined) {
    if (proxyPasswordFile === undefined && proxyBypass === undefined) return undefined;
    throw usageError('--proxy <url> is missing.', REMEDY);
  }
  const url = URL.canParse(proxy) ? new URL(proxy) : undefined;
  // Not quoted: what was typed may hold a password.
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw usageError('--proxy is not the URL of a proxy.', REMEDY);
  // Other users of the machine read the process list, and shells keep a history.
  if (url.password !== '') throw usageError('--proxy holds a password.', 'Give it with --proxy-password-file.');
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const [password] = proxyPasswordFile === undefined ? [] : (await readLocalText(proxyPasswordFile)).split(/\r?\n/);
  return {
    scheme,
    host: url.hostname,
    port: url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port),
    user: url.username === '' ? undefined : decodeURIComponent(url.username),
    password,
    noProxy: proxyBypass,
  };
}
