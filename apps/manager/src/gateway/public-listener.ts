import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import { type ServerPair, serverOptions } from './endpoint-contexts.ts';
import { endFailedHandshake, type GatewayCounts } from './gateway-counts.ts';
import type { LiveConnection, LiveConnections } from './live-connections.ts';
import { canonicalServerName } from './server-name.ts';
import { HANDSHAKE_TIMEOUT_MS } from './tls-options.ts';

export interface PublicListenerOptions {
  readonly pair: ServerPair;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly handshakeTimeoutMs?: number;
}

export interface PublicListenerParts {
  readonly connections: LiveConnections;
  readonly counts: GatewayCounts;
  readonly logger: Logger;
  readonly admit: (connection: LiveConnection) => void;
}

/** The listener of the API, the console and delegates without mTLS. It never asks for a client certificate. */
export class PublicListener {
  readonly server: Server;
  readonly #options: PublicListenerOptions;

  constructor(options: PublicListenerOptions, parts: PublicListenerParts) {
    this.#options = options;
    this.server = createServer({
      ...serverOptions(options.pair, options.minVersion),
      handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
      ALPNProtocols: ['http/1.1'],
    });
    this.server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', (error) => parts.logger.debug({ err: error }, 'public connection failed'));
      // A proxy's connection speaks for any number of accounts, and each of them waits for its end.
      socket.setMaxListeners(0);
      parts.counts.handshakes.add('public:admitted');
      const serverName = canonicalServerName(socket.servername);
      parts.admit(parts.connections.add(socket, { listener: 'public', serverName, authority: null }));
    });
    this.server.on('tlsClientError', (error, socket) => {
      parts.logger.debug(
        { code: (error as NodeJS.ErrnoException).code, remoteAddress: socket.remoteAddress },
        'TLS handshake failed',
      );
      endFailedHandshake(parts.counts, 'public', error, socket);
    });
  }

  replaceServerPair(pair: ServerPair): void {
    this.server.setSecureContext(serverOptions(pair, this.#options.minVersion));
  }
}
