import { Agent, request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { DevAnswer, DevBody } from './dev-manager.ts';
import { type RawTlsOptions, rawTls } from './raw-tls.ts';

export interface KeptRequest {
  readonly headers?: Readonly<Record<string, string>>;
  /** A text or bytes are sent as they are, anything else as JSON. */
  readonly body?: unknown;
  /** Host header, when it is to differ from the connection's server name. */
  readonly host?: string;
}

/** One TLS connection that requests are sent on one after the other, as a delegate keeps one. It is never opened anew. */
export class KeptConnection {
  readonly socket: TLSSocket;
  /** Resolves with the moment (`performance.now()`) at which the connection was gone. */
  readonly gone: Promise<number>;
  /** Hands out this one connection to Node's HTTP client. */
  readonly agent: Agent;
  readonly #host: string;

  private constructor(socket: TLSSocket, host: string) {
    this.socket = socket;
    this.#host = host;
    this.gone = new Promise((resolve) => socket.once('close', () => resolve(performance.now())));
    this.agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let taken = false;
    this.agent.createConnection = (): Duplex => {
      if (taken) throw new Error('the kept connection is gone');
      taken = true;
      return socket;
    };
  }

  static async open(options: RawTlsOptions): Promise<KeptConnection> {
    return new KeptConnection(await rawTls(options), options.serverName ?? 'localhost');
  }

  get isOpen(): boolean {
    return !this.socket.destroyed && !this.socket.readableEnded;
  }

  /** Rejects when the connection ends before the answer. */
  request(method: string, path: string, options: KeptRequest = {}): Promise<DevAnswer> {
    const { body } = options;
    const payload =
      body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          agent: this.agent,
          method,
          path,
          headers: {
            host: options.host ?? this.#host,
            ...(payload !== undefined && {
              'content-type': 'application/json',
              'content-length': Buffer.byteLength(payload),
            }),
            ...options.headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const isJson = response.headers['content-type']?.includes('json') ?? false;
            const read = (isJson && text !== '' ? JSON.parse(text) : text) as DevBody;
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: read });
          });
        },
      );
      request.on('error', reject);
      request.end(payload);
    });
  }

  close(): void {
    this.agent.destroy();
    this.socket.destroy();
  }
}
