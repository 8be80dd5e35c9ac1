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
export function checkHost(
  connection: LiveConnection | undefined,
  request: Pick<IncomingMessage, 'rawHeaders' | 'url'>,
): void {
  if (connection === undefined) return;
  const { serverName } = connection.identity;
  if (serverName === null && connection.identity.listener === 'public') return;
  const hosts = [...hostHeaders(request.rawHeaders), ...hostOfTarget(request.url ?? '/')];
  if (hosts.length > 0 && hosts.every((host) => canonicalHost(host) === serverName)) return;
  const named = hosts.join(', ').slice(0, 260);
  throw new SallyportError(
    'MISDIRECTED_REQUEST',
    `The request is for host '${named}', the connection was made for '${serverName}'.`,
  );
}

/** Names and values take turns in what was sent. */
function hostHeaders(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'host');
}

/** The host in a request target in absolute form, `https://host/path`; nothing for the usual form, a path. */
function hostOfTarget(target: string): string[] {
  if (target.startsWith('/') || target === '*') return [];
  return [URL.canParse(target) ? new URL(target).host : target];
}
