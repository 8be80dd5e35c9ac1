import { randomUUID } from 'node:crypto';
import { createServer, type SecureContext, type SecureContextOptions, type Server, TLSSocket } from 'node:tls';
import { SallyportError } from '@sallyport/protocol';
import { type CertificateFacts, keepPeerCertificates, RefusalReason } from '@sallyport/trust';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { LiveEndpoint, TrustDirectory } from '../endpoints/trust-directory.ts';
import type { RefusalRecorder } from '../refusals/refusal-recorder.ts';
import { Admission } from './admission.ts';
import { clientTrust, type EndpointContexts, type ServerPair, serverOptions } from './endpoint-contexts.ts';
import type { GatewayBounds } from './gateway-bounds.ts';
import { endFailedHandshake } from './gateway-counts.ts';
import type { LiveConnection, LiveConnections } from './live-connections.ts';
import type { PolicyDeadlines } from './policy-deadlines.ts';
import { presentedCertificate } from './presented-certificate.ts';
import { errorCodeOf } from './refusal-codes.ts';
import type { RefusalResponder, RefusedConnection } from './refusal-responder.ts';
import { rejudgeWhole } from './rejudge-policy.ts';
import { canonicalServerName } from './server-name.ts';
import { HANDSHAKE_TIMEOUT_MS } from './tls-options.ts';

export interface MtlsListenerParts {
  readonly directory: TrustDirectory;
  readonly contexts: EndpointContexts;
  readonly connections: LiveConnections;
  readonly responder: RefusalResponder;
  readonly refusals: RefusalRecorder;
  readonly bounds: GatewayBounds;
  readonly deadlines: PolicyDeadlines;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Hands an admitted connection to the API's server. */
  readonly admit: (connection: LiveConnection) => void;
}

export interface MtlsListenerOptions {
  readonly pair: ServerPair;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** A CA certificate whose key nobody holds: what the listener trusts when no endpoint's context is in force. */
  readonly nobodysCa: string;
  readonly handshakeTimeoutMs?: number;
}

/** The listener of the mTLS endpoints: asks for a client certificate, verifies it against the CAs of the named endpoint. */
export class MtlsListener {
  readonly server: Server;
  readonly #options: MtlsListenerOptions;
  readonly #parts: MtlsListenerParts;
  readonly #admission: Admission;
  /** The state of trust that a handshake was verified under; absent when the name is no endpoint's. */
  readonly #verifiedUnder = new WeakMap<TLSSocket, LiveEndpoint>();

  constructor(options: MtlsListenerOptions, parts: MtlsListenerParts) {
    this.#options = options;
    this.#parts = parts;
    this.#admission = new Admission(parts.clock);
    const listener = this;
    this.server = createServer({
      ...this.#nobodysOptions(options.pair),
      requestCert: true,
      // The handshake is completed for everybody, so that the refused can be told why; see #onSecureConnection.
      rejectUnauthorized: false,
      handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
      ALPNProtocols: ['http/1.1'],
      SNICallback(name, done) {
        keepPeerCertificates(this);
        listener.#chooseContext(this, name, done);
      },
    });
    this.server.on('secureConnection', (socket) => this.#onSecureConnection(socket));
    this.server.on('tlsClientError', (error, socket) => {
      parts.logger.debug(
        { code: (error as NodeJS.ErrnoException).code, remoteAddress: socket.remoteAddress },
        'mTLS handshake failed',
      );
      endFailedHandshake(parts.bounds.counts, 'mtls', error, socket);
    });
  }

  /** For handshakes without an endpoint's context; those get theirs from EndpointContexts. */
  replaceServerPair(pair: ServerPair): void {
    this.server.setSecureContext(this.#nobodysOptions(pair));
  }

  /**
   * In force without SNI and for unknown names. Without a `ca` of its own Node would verify clients against the public
   * web CAs there; this one admits nobody.
   */
  #nobodysOptions(pair: ServerPair): SecureContextOptions {
    return { ...serverOptions(pair, this.#options.minVersion), ...clientTrust([this.#options.nobodysCa]) };
  }

  /**
   * Total and bounded in time (the directory's lookups are): an SNICallback that throws ends the process, one that never
   * answers leaks the socket. What memory has is answered at once, which spares OpenSSL to stop and begin anew.
   */
  #chooseContext(socket: unknown, name: string, done: (error: Error | null, context?: SecureContext) => void): void {
    const { directory } = this.#parts;
    const serverName = canonicalServerName(name);
    if (serverName === null || !(socket instanceof TLSSocket)) {
      done(null);
      return;
    }
    const failed = (error: unknown) => done(error instanceof Error ? error : new Error(String(error)));
    const found = (endpoint: LiveEndpoint | null) => {
      let context: SecureContext | undefined;
      try {
        context = this.#contextOf(socket, endpoint);
      } catch (error) {
        failed(error);
        return;
      }
      done(null, context);
    };
    const known = directory.recallFqdn(serverName);
    if (known === undefined) void directory.byFqdn(serverName).then(found, failed);
    else found(known);
  }

  /** Undefined (nobody's CA stays in force) when no endpoint has that name. */
  #contextOf(socket: TLSSocket, endpoint: LiveEndpoint | null): SecureContext | undefined {
    if (endpoint === null) return undefined;
    if (!this.#parts.bounds.accounts.beginHandshake(endpoint.accountId, socket))
      throw new Error(`too many handshakes of the account ${endpoint.accountId} are in flight`);
    // An endpoint whose bundle cannot be read trusts nobody. Its clients are told so after a handshake under nobody's CA.
    const context = endpoint.authorities.length === 0 ? undefined : this.#parts.contexts.contextOf(endpoint);
    this.#verifiedUnder.set(socket, endpoint);
    return context;
  }

  #onSecureConnection(socket: TLSSocket): void {
    // Registered before anything is awaited: an 'error' without a listener would end the process.
    socket.on('error', (error) => this.#parts.logger.debug({ err: error }, 'mTLS connection failed'));
    this.#judge(socket).catch((error: unknown) => {
      this.#parts.logger.error({ err: error }, 'admission failed; the connection is refused');
      socket.destroy();
    });
  }

  async #judge(socket: TLSSocket): Promise<void> {
    const { directory, connections, bounds, deadlines, clock, admit } = this.#parts;
    const serverName = canonicalServerName(socket.servername);
    const verifiedUnder = this.#verifiedUnder.get(socket) ?? null;
    // It may hold a large revocation list, and the connection may live for weeks.
    this.#verifiedUnder.delete(socket);
    if (verifiedUnder !== null) bounds.accounts.handshakeOver(verifiedUnder.accountId, socket);
    const { verdict, certificate, client } = this.#admission.judge(socket, serverName, verifiedUnder);
    if (!verdict.admitted || verifiedUnder === null || serverName === null || client === null) {
      this.#refuse(socket, serverName, verifiedUnder, certificate, verdict);
      return;
    }
    const tooMany = bounds.accounts.connect(verifiedUnder.accountId, socket);
    if (tooMany !== null) {
      const refused = { error: tooMany, precheckAccountId: null, onRefused: () => undefined };
      this.#answer(socket, verifiedUnder.accountId, refused);
      bounds.counts.handshakes.add('mtls:refused');
      return;
    }
    bounds.counts.handshakes.add('mtls:admitted');
    const { fqdn: authority, accountId } = verifiedUnder;
    const connection = connections.add(
      socket,
      { listener: 'mtls', serverName, authority, accountId, certificate: client.presented, anchor: client.anchor },
      client.subject,
    );
    // Bundle or policy may have changed between ClientHello and now. The connection is registered, so a change from here on
    // re-judges it; one before is seen by this look. It is judged by the same rule: adding a CA ends nobody. Closed
    // without a reason: its next handshake is judged anew.
    const known = directory.recallFqdn(serverName);
    const current = known === undefined ? await directory.byFqdn(serverName) : known;
    const now = clock.now();
    if (current?.accountId !== accountId || rejudgeWhole(connection, accountId, current, now) !== null) {
      socket.destroy();
      return;
    }
    deadlines.watch(accountId, current, now);
    if (!socket.destroyed) admit(connection);
  }

  #refuse(
    socket: TLSSocket,
    serverName: string | null,
    endpoint: LiveEndpoint | null,
    certificate: CertificateFacts | null,
    verdict: ReturnType<Admission['judge']>['verdict'],
  ): void {
    if (verdict.admitted) {
      socket.destroy();
      return;
    }
    const error = new SallyportError(errorCodeOf(verdict.reason), verdict.message, { remedy: verdict.remedy });
    const remoteAddress = socket.remoteAddress ?? 'unknown';
    this.#parts.bounds.counts.handshakes.add('mtls:refused');
    this.#answer(socket, endpoint?.accountId ?? null, {
      error,
      precheckAccountId: verdict.reason === RefusalReason.NO_CLIENT_CERTIFICATE ? (endpoint?.accountId ?? null) : null,
      onRefused: () =>
        this.#parts.refusals.record({
          accountId: endpoint?.accountId ?? null,
          reason: verdict.reason,
          message: verdict.message,
          remedy: verdict.remedy,
          serverName,
          remoteAddress,
          certificate: certificate === null ? null : presentedCertificate(certificate),
        }),
    });
  }

  /** An account or a source that floods us with refused connections gets them closed without the answer. */
  #answer(socket: TLSSocket, accountId: string | null, refused: Omit<RefusedConnection, 'correlationId'>): void {
    const { bounds, responder } = this.#parts;
    // Unknown names share one account's part.
    if (bounds.sources.mayExplain(socket.remoteAddress) && bounds.accounts.mayExplain(accountId ?? '', socket)) {
      const correlationId = randomUUID();
      // As many lines as answers, which are bounded: what a client was told can be found here.
      this.#parts.logger.info(
        { correlationId, accountId, code: refused.error.code, remoteAddress: socket.remoteAddress },
        'refused a connection',
      );
      responder.take(socket, { ...refused, correlationId });
      return;
    }
    refused.onRefused();
    socket.destroy();
  }
}
