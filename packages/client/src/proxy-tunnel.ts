import { request as httpRequest } from 'node:http';
import { isIP, isIPv6, type Socket, connect as tcpConnect } from 'node:net';
import { type SecureContext, connect as tlsConnect } from 'node:tls';
import { TransportError } from './errors.ts';
import { lookupWithLoopback } from './loopback-names.ts';
import type { ProxySettings } from './proxy-settings.ts';
import { explainTransportFailure } from './transport-failures.ts';

/**
 * Asks the proxy for a tunnel (CONNECT) to host:port. `proxyContext` verifies a proxy that itself speaks TLS; it holds
 * no client certificate, because the proxy is not who that certificate is for. Throws TransportError.
 */
export function openTunnel(
  proxy: ProxySettings,
  host: string,
  port: number,
  proxyContext: SecureContext,
  signal: AbortSignal,
): Promise<Socket> {
  const authority = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const name = `${proxy.scheme}://${proxy.host}:${proxy.port}`;
  const headers: Record<string, string> = { host: authority };
  if (proxy.authorization !== null) headers['proxy-authorization'] = proxy.authorization.reveal();
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const address = { host: proxy.host, port: proxy.port, lookup: lookupWithLoopback };
  const servername = isIP(proxy.host) === 0 ? { servername: proxy.host } : {};
  const request = httpRequest({
    method: 'CONNECT',
    path: authority,
    headers,
    signal,
    createConnection: () =>
      proxy.scheme === 'https'
        ? tlsConnect({ ...address, ...servername, secureContext: proxyContext })
        : tcpConnect(address),
  });
  request.once('connect', (response, socket, head) => {
    if (response.statusCode === 200) {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
      return;
    }
    socket.destroy();
    reject(refusal(name, authority, response.statusCode ?? 0));
  });
  request.once('error', (error) => {
    const { message } = explainTransportFailure(signal.aborted ? signal.reason : error, `${proxy.host}:${proxy.port}`);
    const remedy = 'Check PROXY_HOST, PROXY_PORT and PROXY_SCHEME (or HTTPS_PROXY), or list the manager in NO_PROXY.';
    reject(new TransportError('PROXY_FAILED', `The proxy ${name} does not work: ${message}`, remedy, error));
  });
  request.end();
  return promise;
}

function refusal(proxy: string, authority: string, status: number): TransportError {
  return status === 407
    ? new TransportError(
        'PROXY_CREDENTIALS',
        `The proxy ${proxy} wants a user and a password (407), or refused the ones given.`,
        'Set PROXY_USER and PROXY_PASSWORD.',
      )
    : new TransportError(
        'PROXY_REFUSED',
        `The proxy ${proxy} refused a tunnel to ${authority} (${status}).`,
        'Ask whoever runs the proxy to allow CONNECT to that host and port, or list the host in NO_PROXY.',
      );
}
