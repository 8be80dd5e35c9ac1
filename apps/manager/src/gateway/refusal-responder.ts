import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { errorBody, type SallyportError, success } from '@sallyport/protocol';
import { RETRY_AFTER_SECONDS } from './account-limits.ts';

/** What a refused connection gets to know. */
export interface RefusedConnection {
  readonly error: SallyportError;
  readonly correlationId: string;
  /**
   * The account whose status the start-up precheck of existing delegate images may ask for on this connection: curl
   * calls `/api/account/{id}/status` on the mTLS host without a certificate. Null: not even that.
   */
  readonly precheckAccountId: string | null;
  /** Called once, unless the connection only made the precheck. */
  readonly onRefused: () => void;
}

/** A refused client has this long, in milliseconds, to send its request and to read why it was refused. */
const PATIENCE_MS = 5_000;
/** Refused connections open at once; beyond that they are closed without a word, because explaining must not cost others. */
const MAX_OPEN = 1_000;

/**
 * The server behind the first door's closed side. It knows no routes and no upgrades (Node hands those over as requests), so nothing that a refused client sends can reach
 * the API: whatever is asked, it answers once why the connection was refused, and closes it.
 */
export class RefusalResponder {
  readonly #refused = new Map<TLSSocket, RefusedConnection & { reported: boolean }>();
  readonly #server: Server;

  constructor() {
    this.#server = createServer({ maxHeaderSize: 8_192, keepAliveTimeout: 1 }, (request, response) =>
      this.#answer(request, response),
    );
    // A client that speaks no HTTP gets no answer but the end of its connection.
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Takes over a socket whose handshake is complete and whose verdict is no. */
  take(socket: TLSSocket, refused: RefusedConnection): void {
    if (this.#refused.size >= MAX_OPEN) {
      refused.onRefused();
      socket.destroy();
      return;
    }
    const entry = { ...refused, reported: false };
    this.#refused.set(socket, entry);
    const patience = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.once('close', () => {
      clearTimeout(patience);
      this.#refused.delete(socket);
      this.#report(entry);
    });
    this.#server.emit('connection', socket);
  }

  closeAll(): void {
    for (const socket of this.#refused.keys()) socket.destroy();
  }

  #report(refused: (RefusedConnection & { reported: boolean }) | undefined): void {
    if (refused === undefined || refused.reported) return;
    refused.reported = true;
    refused.onRefused();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const refused = this.#refused.get(request.socket as TLSSocket);
    if (refused === undefined) return void request.socket.destroy();
    const status = /^\/(?:gateway\/)?api\/account\/([^/?]+)\/status(?:\?|$)/.exec(request.url ?? '');
    if (request.method === 'GET' && status !== null && status[1] === refused.precheckAccountId) {
      refused.reported = true;
      const body = JSON.stringify(success('ACTIVE'));
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        connection: 'close',
      });
      response.end(body);
      return;
    }
    this.#report(refused);
    const body = JSON.stringify(errorBody(refused.error, refused.correlationId));
    if (refused.error.status === 429) response.setHeader('retry-after', RETRY_AFTER_SECONDS);
    response.writeHead(refused.error.status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-harness-error': refused.error.code,
      'x-request-id': refused.correlationId,
      connection: 'close',
    });
    // The body that the client may still be sending is read and dropped before the close: closing on unread bytes
    // resets the connection, and the client would see that instead of the reason. PATIENCE_MS bounds it.
    response.write(body);
    request.resume();
    request.once('end', () => response.end());
  }
}
