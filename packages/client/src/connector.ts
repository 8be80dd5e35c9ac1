import { isIP } from 'node:net';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import { oneLine } from './client-identity.ts';
import { TransportError } from './errors.ts';
import { lookupWithLoopback } from './loopback-names.ts';
import { type ProxySettings, proxyFor } from './proxy-settings.ts';
import { openTunnel } from './proxy-tunnel.ts';
import { explainTransportFailure } from './transport-failures.ts';

export interface ConnectorOptions {
  readonly hostname: string;
  readonly port: number;
  /** Trusted roots, and the client certificate when there is one. */
  readonly secureContext: SecureContext;
  /** Trusted roots without a client certificate, for a proxy that speaks TLS. */
  readonly proxyContext: SecureContext;
  readonly proxy: ProxySettings | null;
  /** For name resolution, proxy and handshake together. */
  readonly timeoutMs: number;
  /** Gives up at once when aborted. */
  readonly signal: AbortSignal;
}

const TCP_KEEP_ALIVE_MS = 60_000;
/** Node gives each of a host's addresses 250 ms and drops the attempt then: less than one way over a satellite and back. */
const ATTEMPT_MS = 2_000;

/**
 * Opens one TLS connection to the manager, through the proxy when the settings say so. When it returns, the server's
 * certificate and name are verified; whether the manager accepts the client certificate is not known yet (TLS 1.3
 * tells with the first answer). Throws TransportError.
 */
export async function openConnection(options: ConnectorOptions): Promise<TLSSocket> {
  const { hostname, port } = options;
  const host = hostname.replace(/\.$/, '');
  const target = `${hostname}:${port}`;
  const giveUp = AbortSignal.any([AbortSignal.timeout(options.timeoutMs), options.signal]);
  const proxy = proxyFor(options.proxy, host, port);
  const tunnel = proxy === null ? null : await openTunnel(proxy, host, port, options.proxyContext, giveUp);
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connect({
    host,
    port,
    ...(tunnel === null
      ? { lookup: lookupWithLoopback, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: ATTEMPT_MS }
      : { socket: tunnel }),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    secureContext: options.secureContext,
    ALPNProtocols: ['http/1.1'],
    // Node verifies the chain and the name all the same; with `true` it would destroy the socket before the issuer can
    // be read, and the message could not name a TLS-inspecting proxy. `authorized` is decided on below, before a byte
    // is written. No session is ever offered, so `authorized` is of this very handshake.
    rejectUnauthorized: false,
  });
  const onGiveUp = () => fail(giveUp.reason);
  const fail = (error: unknown) => {
    socket.destroy();
    reject(explainTransportFailure(error, target));
  };
  giveUp.addEventListener('abort', onGiveUp, { once: true });
  // Stays for the life of the socket: an alert that comes after the handshake (TLS 1.3) must end the socket with its own
  // code, before the plain end that follows it hides the reason.
  socket.on('error', (error) => {
    socket.destroy(error);
    fail(error);
  });
  socket.once('close', fail);
  socket.once('secureConnect', () => {
    if (socket.authorized) resolve(socket);
    else fail(untrusted(socket, target));
  });
  try {
    await promise;
  } finally {
    giveUp.removeEventListener('abort', onGiveUp);
    socket.off('close', fail);
  }
  socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
  socket.setNoDelay(true);
  return socket;
}

function untrusted(socket: TLSSocket, target: string): TransportError {
  const code = String(socket.authorizationError);
  const leaf = socket.getPeerX509Certificate();
  const issuer = leaf === undefined ? 'nobody' : oneLine(leaf.issuer);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new TransportError(
      'SERVER_NAME_MISMATCH',
      `The certificate of ${target} is for other names: ${leaf?.subjectAltName ?? (oneLine(leaf?.subject ?? '') || 'none')}.`,
      'Check the host name of the manager, or give the manager a certificate for it.',
    );
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return new TransportError(
      'SERVER_CERTIFICATE_EXPIRED',
      `The certificate of ${target}, or one above it, is not valid now (${leaf?.validFrom} to ${leaf?.validTo}).`,
      'Check the clock of this machine; otherwise the manager needs a new server certificate.',
    );
  }
  return new TransportError(
    'SERVER_UNTRUSTED',
    `The certificate of ${target} was issued by "${issuer}", which is not trusted here (${code}).`,
    'Give the CA certificate that issued it in SALLYPORT_EXTRA_CA_FILE. If that issuer is a proxy that inspects TLS, ask for an exception for this host.',
  );
}
