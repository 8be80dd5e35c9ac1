import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { Logger } from 'pino';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import type { ListenAddress } from '../config/config.ts';
import type { TrustDirectory } from '../endpoints/trust-directory.ts';
import type { RefusalRecorder } from '../refusals/refusal-recorder.ts';
import { beforeTls } from './before-tls.ts';
import { EndpointContexts, type ServerPair } from './endpoint-contexts.ts';
import { type GatewayBounds, gatewayBounds } from './gateway-bounds.ts';
import type { CutReason, LiveConnection, LiveConnections } from './live-connections.ts';
import { MtlsListener } from './mtls-listener.ts';
import { PolicyDeadlines } from './policy-deadlines.ts';
import { PublicListener } from './public-listener.ts';
import { RefusalResponder } from './refusal-responder.ts';
import { rejudgeWhole } from './rejudge-policy.ts';
import { LISTEN_BACKLOG } from './tls-options.ts';

export interface GatewayOptions {
  readonly pair: ServerPair;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly nobodysCa: string;
  /** How long a TLS handshake may take; ten seconds unless told. */
  readonly handshakeTimeoutMs?: number;
}

export interface GatewayParts {
  readonly directory: TrustDirectory;
  readonly bus: Bus;
  readonly refusals: RefusalRecorder;
  readonly connections: LiveConnections;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Given together, when others share them; otherwise the gateway has its own, with the default limits. */
  readonly bounds?: GatewayBounds;
}

/** When the gateway closes, connections that are still in their handshake have this long, in milliseconds. */
const STRAGGLERS_MS = 100;

/** The two listeners, the first door, and the live connections. Sockets and nothing else: it knows no route. */
export class Gateway {
  readonly #parts: GatewayParts;
  readonly #contexts: EndpointContexts;
  readonly #responder = new RefusalResponder();
  readonly #public: PublicListener;
  readonly #mtls: MtlsListener;
  /** Every TCP connection, the ones in the middle of a handshake included. */
  readonly #sockets = new Set<Socket>();
  readonly #unsubscribe: (() => void)[];
  readonly #deadlines: PolicyDeadlines;

  /** `apiServer` is an HTTP server that listens nowhere itself: it gets the sockets that were admitted here. */
  constructor(options: GatewayOptions, parts: GatewayParts, apiServer: HttpServer) {
    this.#parts = parts;
    const bounds = parts.bounds ?? gatewayBounds();
    this.#deadlines = new PolicyDeadlines(parts.clock, (accountId) => void this.#rejudge(accountId));
    this.#contexts = new EndpointContexts(options.pair, options.minVersion);
    const admit = (connection: LiveConnection) => void apiServer.emit('connection', connection.socket);
    this.#public = new PublicListener(options, {
      connections: parts.connections,
      counts: bounds.counts,
      logger: parts.logger,
      admit,
    });
    this.#mtls = new MtlsListener(options, {
      ...parts,
      contexts: this.#contexts,
      responder: this.#responder,
      bounds,
      deadlines: this.#deadlines,
      admit,
    });
    for (const [listener, { server }] of [['public', this.#public] as const, ['mtls', this.#mtls] as const]) {
      beforeTls(server, (socket) => this.#arrive(socket, bounds.sources.arrive(listener, socket)));
      server.on('secureConnection', (socket) => bounds.sources.secured(listener, socket));
    }
    this.#unsubscribe = [
      parts.bus.subscribe('trust-changed', ({ accountId }) => this.#rejudge(accountId)),
      parts.bus.subscribe('resync', async () => {
        await Promise.all(parts.connections.accountIds().map((accountId) => this.#rejudge(accountId)));
      }),
    ];
    // Node starts its watch over slow headers and requests only when a server listens; ours is handed its sockets.
    apiServer.emit('listening');
  }

  /** Resolves with the addresses in use once both listeners accept connections; rejects naming the address. */
  async listen(addresses: {
    public: ListenAddress;
    mtls: ListenAddress;
  }): Promise<{ public: ListenAddress; mtls: ListenAddress }> {
    const mtls = await listen(this.#mtls.server, addresses.mtls, 'mTLS', 'SALLYPORT_MTLS_LISTEN');
    return { public: await listen(this.#public.server, addresses.public, 'public', 'SALLYPORT_PUBLIC_LISTEN'), mtls };
  }

  /** The port that the mTLS listener is bound to; null before `listen`. */
  get mtlsPort(): number | null {
    const address = this.#mtls.server.address();
    return address !== null && typeof address === 'object' ? address.port : null;
  }

  /** New handshakes on both listeners and for every endpoint use the pair; live connections keep theirs. */
  replaceServerPair(pair: ServerPair): void {
    this.#contexts.replaceServerPair(pair);
    this.#public.replaceServerPair(pair);
    this.#mtls.replaceServerPair(pair);
  }

  /** Stops accepting, then ends every connection; resolves when the last one is gone. */
  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#deadlines.stop();
    const closed = [this.#public.server, this.#mtls.server].map(close);
    this.#responder.closeAll();
    this.#parts.connections.cutAll({ code: 'SERVICE_UNAVAILABLE', message: 'the manager is stopping' });
    // Whoever came through a handshake after that cut would otherwise keep us open for as long as it likes.
    const stragglers = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, STRAGGLERS_MS);
    await Promise.all(closed);
    clearTimeout(stragglers);
  }

  /** False: the connection is to be closed. */
  #arrive(socket: Socket, left: (() => void) | null): boolean {
    if (left === null) return false;
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      left();
    });
    return true;
  }

  /** Resolves when every connection of the account that no longer holds has been cut. Touches no other account's. */
  async #rejudge(accountId: string): Promise<void> {
    const { directory, connections, clock, logger } = this.#parts;
    if (connections.ofAccount(accountId).length === 0) return;
    let reasonOf: (connection: LiveConnection) => CutReason | null;
    try {
      const endpoint = await directory.byAccount(accountId);
      const now = clock.now();
      reasonOf = (connection) => rejudgeWhole(connection, accountId, endpoint, now);
      if (endpoint !== null) this.#deadlines.watch(accountId, endpoint, now);
    } catch (error) {
      // What the account trusts now cannot be read: nobody of it stays connected on what it trusted before.
      logger.error({ err: error, accountId }, 'cannot re-judge live connections; cutting them');
      reasonOf = () => ({ code: 'SERVICE_UNAVAILABLE', message: 'the trust of this account cannot be read' });
    }
    let cut = 0;
    for (const connection of connections.ofAccount(accountId)) {
      const reason = reasonOf(connection);
      if (reason === null) continue;
      connections.cut(connection, reason);
      cut += 1;
    }
    if (cut > 0) logger.info({ accountId, cut }, 'trust changed; connections that no longer hold were cut');
  }
}

function listen(server: TlsServer, address: ListenAddress, name: string, setting: string): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'another process listens there' : cause.message;
      const where = `${address.host}:${address.port}`;
      reject(
        new Error(`cannot open the ${name} listener on ${where}: ${why} (set ${setting} to listen elsewhere)`, {
          cause,
        }),
      );
    };
    server.once('error', failed);
    server.listen({ host: address.host, port: address.port, backlog: LISTEN_BACKLOG }, () => {
      server.off('error', failed);
      resolve({ host: address.host, port: (server.address() as AddressInfo).port });
    });
  });
}

function close(server: TlsServer): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) return resolve();
    server.close(() => resolve());
  });
}
