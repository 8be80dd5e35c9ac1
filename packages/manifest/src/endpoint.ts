import { ManifestError } from './manifest-error.ts';

/** An account's mTLS endpoint, and what the delegate's variables are set to for it. */
export interface Endpoint {
  /** Scheme, host and, unless 443, port; no slash at the end. */
  readonly url: string;
  readonly host: string;
  readonly logServiceUrl: string;
  readonly tiServiceUrl: string;
}

/** Reads an endpoint's URL. @throws ManifestError ENDPOINT_INVALID, saying what is wrong with it. */
export function parseEndpoint(text: string): Endpoint {
  const fault = endpointFault(text);
  if (fault) throw new ManifestError('ENDPOINT_INVALID', `The endpoint "${text}" cannot be used: ${fault}.`);
  const { host, hostname } = new URL(text);
  const url = `https://${host}`;
  return { url, host: hostname, logServiceUrl: `${url}/log-service/`, tiServiceUrl: `${url}/ti-service/` };
}

/** The endpoint that a text names, or undefined when it names none. */
export function endpointOf(text: string | undefined): Endpoint | undefined {
  return text === undefined || endpointFault(text) ? undefined : parseEndpoint(text);
}

/** What keeps a URL from being an mTLS endpoint, as the end of a sentence. */
export function endpointFault(text: string): string | undefined {
  if (isPlaceholder(text))
    return 'it is a placeholder; put the FQDN of the account’s mTLS endpoint there, as in https://blue.agent.example.com';
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return 'it has no scheme; begin it with https://';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) return 'it is not a URL; write https://, the FQDN and, unless it is 443, the port';
  if (url.protocol !== 'https:')
    return `its scheme is ${url.protocol.slice(0, -1)}, and client certificates need https`;
  if (url.username !== '' || url.password !== '') return 'it holds a user name or a password; take them out';
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return 'it has a path, and the prefix of an endpoint is the first label of its host name, not a directory';
  }
  return hostFault(url.hostname);
}

/** The gateway finds the account by the exact name that the client sends in its TLS hello: no address, no wildcard, no final dot. */
function hostFault(host: string): string | undefined {
  if (/^[\d.]+$/.test(host) || host.startsWith('['))
    return 'it is an IP address, and the account is found by the host name; use the FQDN';
  if (host.endsWith('.')) return 'its host ends with a dot; take it away';
  if (host.length > 253) return 'its host is longer than a name can be';
  if (!host.includes('.')) return `"${host}" is one label; use the whole FQDN, as in blue.agent.example.com`;
  if (!/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+$/.test(host)) return `"${host}" is not a host name`;
  const twice = /\.((?:[^.]+\.)+[^.]+)\.\1$/.exec(host)?.[1];
  if (twice) return `the domain ${twice} stands in it twice; the endpoint's FQDN already contains it`;
  return undefined;
}

/** Text that a person was meant to replace: `PUT_YOUR_...`, `<YOUR_FQDN>`, `{CERT}`. */
export function isPlaceholder(text: string): boolean {
  return /PUT_YOUR_|<[A-Z][A-Z0-9_ -]*>|^\{[A-Z_]+\}$|\{\{|YOUR_[A-Z]+/.test(text);
}
