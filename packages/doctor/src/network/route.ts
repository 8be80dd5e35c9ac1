import { once } from 'node:events';
import { request } from 'node:http';
import { isIP, isIPv6, type LookupFunction, type Socket, connect as tcpConnect } from 'node:net';
import { type SecureContext, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { ProxySettings } from '@sallyport/client';
import { bounded, failed, type Step, stepSignal, type TimeLimits } from './step.ts';

/** How a host is reached, and with what. */
export interface Route {
  readonly host: string;
  readonly port: number;
  readonly proxy: ProxySettings | null;
  /** Trusted roots, with the client certificate when there is one. */
  readonly secureContext: SecureContext;
  /** Trusted roots alone, for a proxy that speaks TLS itself: the certificate is not meant for it. */
  readonly proxyContext: SecureContext;
  readonly lookup: LookupFunction;
  readonly limits: TimeLimits;
  /** The time for everything. */
  readonly whole: AbortSignal;
}

/** What each step of the way brought; null for one that was not come to, or that this way does not have. */
export interface Walk {
  readonly proxy: ProxySettings | null;
  /** Who is dialled: the manager, or the proxy. */
  readonly dialled: { readonly host: string; readonly port: number };
  readonly addresses: Step<readonly string[]>;
  readonly tcp: Step<Socket> | null;
  readonly tunnel: Step<Tunnel> | null;
  readonly tls: Step<TLSSocket> | null;
}

export interface Tunnel {
  readonly socket: Socket;
}

/**
 * Goes the way of a connection step by step: name, TCP, tunnel, TLS. `serverName` null sends none. It stops at the first
 * step that fails; a server that is not trusted is no failure here, and whoever writes to the socket has to look.
 */
export async function walk(route: Route, serverName: string | null = nameOf(route.host)): Promise<Walk> {
  const { proxy } = route;
  const dialled = proxy === null ? { host: route.host, port: route.port } : { host: proxy.host, port: proxy.port };
  const base = { proxy, dialled, tcp: null, tunnel: null, tls: null };
  const addresses = await resolveName(route, dialled.host);
  if (!addresses.ok) return { ...base, addresses };
  const tcp = await openTcp(route, dialled, addresses.value);
  if (!tcp.ok) return { ...base, addresses, tcp };
  const tunnel = proxy === null ? null : await openTunnel(route, proxy, tcp.value);
  if (tunnel !== null && !tunnel.ok) return { ...base, addresses, tcp, tunnel };
  const below = tunnel === null ? tcp.value : tunnel.value.socket;
  return { ...base, addresses, tcp, tunnel, tls: await openTls(route, below, serverName) };
}

/** The name for SNI; an address has none. */
export const nameOf = (host: string): string | null => (isIP(host) === 0 ? host : null);

function resolveName(route: Route, host: string): Promise<Step<readonly string[]>> {
  if (isIP(host) !== 0) return Promise.resolve({ ok: true, value: [host] });
  const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
  route.lookup(host, { all: true }, (error, found) => {
    if (error) reject(error);
    else resolve(typeof found === 'string' ? [found] : found.map(({ address }) => address));
  });
  return bounded(promise, stepSignal(route.limits, route.whole), () => undefined);
}

function openTcp(
  route: Route,
  { host, port }: { readonly host: string; readonly port: number },
  addresses: readonly string[],
): Promise<Step<Socket>> {
  const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  // What was resolved is what is dialled: a second question to the DNS could get another answer.
  const lookup: LookupFunction = (_host, options, callback) => {
    const first = all[0];
    process.nextTick(() =>
      options.all ? callback(null, all) : callback(null, first?.address ?? '', first?.family ?? 4),
    );
  };
  // Node gives each address a quarter of a second and then lets go of it: too little for a satellite, or a busy machine.
  const autoSelectFamilyAttemptTimeout = Math.max(250, Math.floor(route.limits.stepMs / Math.max(2, all.length)));
  const socket = tcpConnect({ host, port, lookup, autoSelectFamily: true, autoSelectFamilyAttemptTimeout });
  socket.on('error', () => socket.destroy());
  const connected = once(socket, 'connect').then(() => socket);
  return bounded(connected, stepSignal(route.limits, route.whole), () => socket.destroy());
}

async function openTunnel(route: Route, proxy: ProxySettings, tcp: Socket): Promise<Step<Tunnel>> {
  const signal = stepSignal(route.limits, route.whole);
  let socket = tcp;
  let askedForCertificate = false;
  if (proxy.scheme === 'https') {
    const name = nameOf(proxy.host);
    const secure = tlsConnect({
      socket: tcp,
      secureContext: route.proxyContext,
      ...(name === null ? {} : { servername: name }),
    });
    const shaken = await bounded(secured(secure), signal, () => tcp.destroy());
    if (!shaken.ok) {
      const { code } = shaken.failure;
      return failed(code === 'TIMEOUT' ? 'PROXY_SILENT_HANDSHAKE' : `PROXY_${code}`);
    }
    askedForCertificate = secure.getSharedSigalgs().length > 0;
    socket = secure;
  }
  const answer = await bounded(askForTunnel(route, proxy, socket), signal, () => tcp.destroy());
  if (answer.ok && answer.value.status === 200) return { ok: true, value: { socket: answer.value.socket } };
  tcp.destroy();
  if (answer.ok) return failed('STATUS', answer.value.status, answer.value.text);
  // TLS 1.3 tells only after the handshake that a certificate was missing, and some proxies just hang up.
  return failed(
    askedForCertificate ? `PROXY_WANTS_CERTIFICATE_${answer.failure.code}` : `PROXY_${answer.failure.code}`,
  );
}

interface TunnelAnswer {
  readonly status: number;
  readonly socket: Socket;
  readonly text: string;
}

function askForTunnel(route: Route, proxy: ProxySettings, socket: Socket): Promise<TunnelAnswer> {
  const authority = `${isIPv6(route.host) ? `[${route.host}]` : route.host}:${route.port}`;
  const headers: Record<string, string> = { host: authority };
  if (proxy.authorization !== null) headers['proxy-authorization'] = proxy.authorization.reveal();
  const { promise, resolve, reject } = Promise.withResolvers<TunnelAnswer>();
  socket.once('error', reject);
  const connectRequest = request({ method: 'CONNECT', path: authority, headers, createConnection: () => socket });
  connectRequest.once('connect', (response, connected: Socket, head: Buffer) => {
    connected.off('error', reject);
    connected.on('error', () => connected.destroy());
    const status = response.statusCode ?? 0;
    if (status === 200 && head.length > 0) connected.unshift(head);
    resolve({ status, socket: connected, text: `${response.statusMessage} ${head.toString('latin1')}`.slice(0, 500) });
  });
  // It may fail twice, by the alert and by the end that follows: nobody would hear the second.
  connectRequest.on('error', reject);
  connectRequest.end();
  return promise;
}

function openTls(route: Route, below: Socket, serverName: string | null): Promise<Step<TLSSocket>> {
  const socket = tlsConnect({
    socket: below,
    secureContext: route.secureContext,
    ALPNProtocols: ['http/1.1'],
    host: route.host,
    ...(serverName === null ? {} : { servername: serverName }),
    // Verified all the same: `authorized` is looked at before anything is sent that a stranger must not see. With `true`
    // the socket would be gone before it can be told who has issued the certificate.
    rejectUnauthorized: false,
  });
  return bounded(secured(socket), stepSignal(route.limits, route.whole), () => {
    socket.destroy();
    below.destroy();
  });
}

/** The handshake is complete; the certificate's trust is in `authorized`. */
function secured(socket: TLSSocket): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  // It stays: an alert after the handshake (TLS 1.3) ends the socket with its own code, before the plain end that
  // follows it hides the reason.
  socket.on('error', (error) => {
    socket.destroy(error);
    reject(error);
  });
  socket.once('close', () => reject(Object.assign(new Error('closed'), { code: 'CLOSED' })));
  socket.once('secureConnect', () => resolve(socket));
  return promise;
}
