import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SecureContext, TLSSocket } from 'node:tls';
import { Client, Pool } from 'undici';
import type { RawAnswer } from './answers.ts';
import type { ClientIdentity } from './client-identity.ts';
import { openConnection } from './connector.ts';
import type { ProxySettings } from './proxy-settings.ts';
import { secureContextFor } from './tls-settings.ts';
import { explainTransportFailure } from './transport-failures.ts';

export interface ConnectionSettings {
  readonly hostname: string;
  readonly port: number;
  readonly roots: readonly string[];
  readonly proxy: ProxySettings | null;
  readonly connectTimeoutMs: number;
  readonly maxResponseBytes: number;
  readonly maxConnections: number;
}

/** An answer whose body comes as it is sent. Whoever opened it closes it, read to the end or not. */
export interface StreamedAnswer {
  readonly status: number;
  readonly headers: RawAnswer['headers'];
  readonly body: AsyncIterable<Buffer>;
  close(): Promise<void>;
}

export interface RawRequest {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal;
}

/** Idle connections live as long as the server allows; heartbeats every few seconds must not cost handshakes. */
const KEEP_ALIVE_MS = 75_000;

/** All connections made with one identity (a client certificate, or none). A rotation makes a new set. */
export class ConnectionSet {
  readonly identity: ClientIdentity | null;
  readonly #settings: ConnectionSettings;
  readonly #secureContext: SecureContext;
  readonly #proxyContext: SecureContext;
  readonly #pool: Pool;
  readonly #destroyed = new AbortController();

  constructor(settings: ConnectionSettings, identity: ClientIdentity | null) {
    this.identity = identity;
    this.#settings = settings;
    this.#secureContext = secureContextFor(settings.roots, identity);
    const separate = settings.proxy?.scheme === 'https' && identity !== null;
    this.#proxyContext = separate ? secureContextFor(settings.roots, null) : this.#secureContext;
    this.#pool = new Pool(`https://${this.target}`, {
      connect: (_options, callback) => {
        this.openSocket().then(
          (socket) => callback(null, socket),
          (error: Error) => callback(error, null),
        );
      },
      connections: settings.maxConnections,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxResponseSize: settings.maxResponseBytes,
      // The caller's signal bounds every request as a whole.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** host:port as URLs write it. */
  get target(): string {
    return `${urlHost(this.#settings.hostname)}:${this.#settings.port}`;
  }

  /** A verified TLS connection of its own, outside the pool. */
  openSocket(): Promise<TLSSocket> {
    return openConnection({
      ...this.#settings,
      secureContext: this.#secureContext,
      proxyContext: this.#proxyContext,
      timeoutMs: this.#settings.connectTimeoutMs,
      signal: this.#destroyed.signal,
    });
  }

  /** One exchange, redirects not followed, the whole answer read. Throws TransportError, or the signal's own reason. */
  async exchange(request: RawRequest): Promise<RawAnswer> {
    try {
      request.signal.throwIfAborted();
      return await untilAborted(this.#exchange(request), request.signal);
    } catch (error) {
      if (request.signal.aborted && !isTimeout(request.signal.reason)) throw request.signal.reason;
      throw explainTransportFailure(request.signal.aborted ? request.signal.reason : error, this.target);
    }
  }

  async #exchange(request: RawRequest): Promise<RawAnswer> {
    const { statusCode, headers, body } = await this.#pool.request(request);
    const text = await body.text();
    // The pool sees the connection as busy until this turn of the loop is over: whoever asks again at once would pay
    // for a second handshake.
    await nextTurn();
    return { status: statusCode, headers, text };
  }

  /**
   * As `exchange`, with the body left to the caller, on a connection of its own: it may take hours and any size, and must
   * not hold one of the pool. The signal ends it, at any time. What reading the body throws is the socket's own error.
   */
  async stream(request: RawRequest): Promise<StreamedAnswer> {
    const client = new Client(`https://${this.target}`, {
      connect: (_options, callback) => {
        this.openSocket().then(
          (socket) => callback(null, socket),
          (error: Error) => callback(error, null),
        );
      },
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    try {
      request.signal.throwIfAborted();
      const { statusCode, headers, body } = await untilAborted(client.request(request), request.signal);
      return { status: statusCode, headers, body, close: () => client.destroy() };
    } catch (error) {
      await client.destroy();
      if (request.signal.aborted && !isTimeout(request.signal.reason)) throw request.signal.reason;
      throw explainTransportFailure(request.signal.aborted ? request.signal.reason : error, this.target);
    }
  }

  /** Lets requests under way finish, then closes. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** Ends everything now. */
  async destroy(): Promise<void> {
    this.#destroyed.abort();
    await this.#pool.destroy();
  }
}

/** undici heeds the signal of a request only once it has a connection; while connecting hangs, this does. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError';
}

function urlHost(hostname: string): string {
  return hostname.includes(':') ? `[${hostname}]` : hostname;
}
