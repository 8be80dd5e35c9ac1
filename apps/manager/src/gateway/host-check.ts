import type { IncomingMessage } from 'node:http';
import { SallyportError } from '@sallyport/protocol';
import type { LiveConnection } from './live-connections.ts';
import { canonicalHost } from './server-name.ts';

/**
 * A request must be for the name that its connection was made for. On a connection admitted by one endpoint a request
 * for another host would be one tenant speaking through the other's door (RFC 9110 7.4, 15.5.20). Every way to name a
 * host counts: a second Host header, which Node drops without a word, and a target in absolute form (RFC 9112 3.2).
 * Throws MISDIRECTED_REQUEST (421). A public connection made without SNI, to an address, has no name to compare.
 */
export function checkHost(connection: LiveConnection | undefined, request: HostNaming): void {
  if (connection === undefined || isForItsHost(connection, request)) return;
  const named = hostsOf(request).join(', ').slice(0, 260);
  throw new SallyportError(
    'MISDIRECTED_REQUEST',
    `The request is for host '${named}', the connection was made for '${connection.identity.serverName}'.`,
  );
}

type HostNaming = Pick<IncomingMessage, 'rawHeaders' | 'url'>;

/** As `checkHost`, which throws when this is false. */
export function isForItsHost({ identity }: LiveConnection, request: HostNaming): boolean {
  const { serverName, listener } = identity;
  if (serverName === null) return listener === 'public';
  const hosts = hostsOf(request);
  return hosts.length > 0 && hosts.every((host) => isSpelling(host, serverName));
}

/** In every header of that name, and in a request target in absolute form; none in the usual form, a path. */
function hostsOf({ rawHeaders, url = '/' }: HostNaming): string[] {
  const hosts: string[] = [];
  // Names and values take turns in what was sent.
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name, value] = [rawHeaders[index], rawHeaders[index + 1]];
    if (name?.length === 4 && name.toLowerCase() === 'host' && value !== undefined) hosts.push(value);
  }
  if (!url.startsWith('/') && url !== '*') hosts.push(URL.canParse(url) ? new URL(url).host : url);
  return hosts;
}

/** Of a canonical name. Nearly everybody writes it just so, with the port or without, which is seen sooner than judged. */
function isSpelling(host: string, serverName: string): boolean {
  if (host.startsWith(serverName) && isPortOrNothing(host, serverName.length)) return true;
  return canonicalHost(host) === serverName;
}

/** What the text has from there on: nothing, or a colon and one to five digits. */
function isPortOrNothing(text: string, from: number): boolean {
  if (text.length === from) return true;
  if (text[from] !== ':' || text.length < from + 2 || text.length > from + 6) return false;
  for (let at = from + 1; at < text.length; at += 1) {
    const digit = text.charCodeAt(at);
    if (digit < 48 || digit > 57) return false;
  }
  return true;
}
