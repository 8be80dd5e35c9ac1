import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import { type ServerPair, serverOptions } from './endpoint-contexts.ts';
import type { LiveConnection, LiveConnections } from './live-connections.ts';
import { canonicalServerName } from './server-name.ts';
import { HANDSHAKE_TIMEOUT_MS } from './tls-options.ts';

export interface PublicListenerParts {
  readonly connections: LiveConnections;
  readonly logger: Logger;
  readonly admit: (connection: LiveConnection) => void;
}

/** The listener of the API, the console and delegates without mTLS. It never asks for a client certificate. */
export class PublicListener {
  readonly server: Server;

  constructor(options: { pair: ServerPair; minVersion: 'TLSv1.2' | 'TLSv1.3' }, parts: PublicListenerParts) {
    this.server = createServer({
      ...serverOptions(options.pair, options.minVersion),
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      ALPNProtocols: ['http/1.1'],
    });
    this.server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', (error) => parts.logger.debug({ err: error }, 'public connection failed'));
      const serverName = canonicalServerName(socket.servername);
      parts.admit(parts.connections.add(socket, { listener: 'public', serverName, authority: null }));
    });
    this.server.on('tlsClientError', (error, socket) => {
      parts.logger.debug(
        { code: (error as NodeJS.ErrnoException).code, remoteAddress: socket.remoteAddress },
        'TLS handshake failed',
      );
    });
  }
}
