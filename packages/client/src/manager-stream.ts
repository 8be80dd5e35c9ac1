import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { readFailure } from './answers.ts';
import type { ConnectionSet } from './connection-set.ts';
import { ManagerError, TransportError } from './errors.ts';
import { explainTransportFailure } from './transport-failures.ts';

export interface StreamOptions {
  /** With query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly handshakeTimeoutMs: number;
  /** How often a heartbeat is sent and the other side's sign of life is checked. */
  readonly heartbeatMs: number;
  readonly maxMessageBytes: number;
  /** Given when opening, because the first message may lie right behind the answer to the upgrade. */
  readonly onMessage: (message: unknown) => void;
}

/** Why a stream ended. `refusal` when the manager said so itself (close code 4401). */
export interface StreamEnd {
  readonly code: number;
  readonly refusal: ManagerError | null;
}

const REFUSED_CLOSE_CODE = 4401;
const NORMAL_CLOSE_CODE = 1000;
const UNREADABLE_CLOSE_CODE = 1007;
const CLOSE_TIMEOUT_MS = 2000;

/** The push stream: JSON messages from the manager, heartbeats to it. */
export class ManagerStream {
  /** Settles once, when the stream is closed by either side or lost; it never rejects. */
  readonly ended: Promise<StreamEnd>;
  readonly #socket: WebSocket;
  readonly #timer: NodeJS.Timeout;
  #alive = true;

  /** Takes a stream that is open. */
  constructor(socket: WebSocket, options: StreamOptions) {
    this.#socket = socket;
    const end = Promise.withResolvers<StreamEnd>();
    this.ended = end.promise;
    const markAlive = () => {
      this.#alive = true;
    };
    socket.on('ping', markAlive);
    socket.on('pong', markAlive);
    socket.on('message', (data, isBinary) => {
      markAlive();
      const message = isBinary ? undefined : parseOrUndefined(data.toString());
      if (message === undefined) socket.close(UNREADABLE_CLOSE_CODE, 'not a JSON text message');
      else options.onMessage(message);
    });
    // An error is always followed by `close`, which says that it is over.
    socket.on('error', () => socket.terminate());
    socket.once('close', (code, reason) => {
      clearInterval(this.#timer);
      end.resolve({ code, refusal: code === REFUSED_CLOSE_CODE ? refusalOf(reason.toString()) : null });
    });
    this.#timer = setInterval(() => this.#beat(), options.heartbeatMs);
  }

  /** Closes it; `ended` follows, soon also when the other side does not answer. */
  close(): void {
    this.#socket.close(NORMAL_CLOSE_CODE);
    const cut = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS);
    this.#socket.once('close', () => clearTimeout(cut));
  }

  #beat(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (!this.#alive) {
      // Nothing came back since the last ping: the peer or the path is gone, although TCP does not know it yet.
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    this.#socket.send('{}');
    this.#socket.ping();
  }
}

/**
 * Opens the stream on a connection of its own. Throws ManagerError when the manager refuses in its own words, and
 * TransportError otherwise; `UPGRADE_REFUSED` when something in between does not pass WebSockets on.
 */
export async function openManagerStream(connections: ConnectionSet, options: StreamOptions): Promise<ManagerStream> {
  const { target } = connections;
  // Loaded here: of those who use this package few open a stream. Before the socket, which is not to wait unheard.
  const { WebSocket } = await import('ws');
  const tlsSocket = await connections.openSocket();
  const socket = new WebSocket(`wss://${target}${options.path}`, {
    createConnection: () => tlsSocket,
    headers: options.headers,
    maxPayload: options.maxMessageBytes,
    perMessageDeflate: false,
    followRedirects: false,
  });
  const { promise, resolve, reject } = Promise.withResolvers<ManagerStream>();
  const timeout = setTimeout(() => {
    reject(explainTransportFailure(new DOMException('handshake', 'TimeoutError'), target));
  }, options.handshakeTimeoutMs);
  socket.once('open', () => resolve(new ManagerStream(socket, options)));
  socket.once('unexpected-response', (_request, response) => {
    refusedUpgrade(response, target, options.maxMessageBytes).then(reject, reject);
  });
  socket.on('error', (error) => reject(explainTransportFailure(error, target)));
  try {
    return await promise;
  } catch (error) {
    socket.terminate();
    tlsSocket.destroy();
    throw error;
  } finally {
    clearTimeout(timeout);
  }
}

async function refusedUpgrade(response: IncomingMessage, target: string, limit: number): Promise<Error> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) break;
      chunks.push(chunk);
    }
  } catch (error) {
    return explainTransportFailure(error, target);
  }
  const status = response.statusCode ?? 0;
  const failure = readFailure({ status, headers: response.headers, text: Buffer.concat(chunks).toString() }, target);
  if (failure instanceof ManagerError) return failure;
  return new TransportError(
    'UPGRADE_REFUSED',
    `${target} did not switch to a WebSocket (${status}).`,
    'A proxy or load balancer in between does not pass WebSocket upgrades on; long poll works all the same.',
    failure,
  );
}

/** Close reasons read "CODE: message". */
function refusalOf(reason: string): ManagerError {
  const split = /^([A-Z][A-Z0-9_]*): (.+)$/s.exec(reason);
  return new ManagerError({
    status: 401,
    code: split?.[1] ?? 'INVALID_TOKEN',
    message: split?.[2] ?? 'The manager ended the stream without saying why.',
  });
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
