import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface KeyPair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** Closes what the corpus has opened. */
export class Closing {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  async listen(server: Server): Promise<number> {
    this.#servers.push(server);
    server.on('connection', (socket: Socket) => this.keep(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => (server.listening ? once(server.close(), 'close') : null)));
  }
}

export type OnSocket = (socket: Socket) => void;

export const tcpServer = (closing: Closing, onSocket: OnSocket): Promise<number> =>
  closing.listen(createTcpServer(onSocket));

export const httpServer = (closing: Closing, answer: RequestListener): Promise<number> =>
  closing.listen(createHttpServer(answer));

/** A TLS server that is not the manager: its answers are whatever `answer` gives. */
export function tlsServer(
  closing: Closing,
  pair: KeyPair,
  answer: RequestListener,
  options: TlsOptions = {},
): Promise<number> {
  const server = createHttpsServer({ cert: pair.certificatePem, key: pair.privateKeyPem, ...options }, answer);
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return closing.listen(server);
}

/** TLS, and then nothing that was asked for. */
export function rawTlsServer(closing: Closing, pair: KeyPair, onSocket: OnSocket): Promise<number> {
  const server = createTlsServer({ cert: pair.certificatePem, key: pair.privateKeyPem }, (socket) => {
    socket.on('error', () => socket.destroy());
    onSocket(socket);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return closing.listen(server);
}

export interface Upstream {
  readonly host: string;
  readonly port: number;
}

/** Passes one request on to the manager, as a proxy that ends TLS does: without the client's certificate. */
export function forward(upstream: Upstream, request: IncomingMessage, response: ServerResponse): void {
  const { method = 'GET', url: path = '/', headers } = request;
  const onward = httpsRequest(
    {
      host: '127.0.0.1',
      port: upstream.port,
      servername: upstream.host,
      method,
      path,
      headers: { ...headers, host: `${upstream.host}:${upstream.port}` },
      // Such a proxy verifies what is behind it by its own rules, which are not what is tested here.
      rejectUnauthorized: false,
      agent: false,
    },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  onward.on('error', () => response.destroy());
  request.pipe(onward);
}

/** A load balancer that ends TLS in front of the manager; upgrades are answered as ordinary requests, or refused. */
export function endingTls(closing: Closing, pair: KeyPair, upstream: Upstream): Promise<number> {
  const server = createHttpsServer({ cert: pair.certificatePem, key: pair.privateKeyPem }, (request, response) =>
    forward(upstream, request, response),
  );
  server.on('upgrade', (_request, socket: Socket) => {
    socket.end('HTTP/1.1 400 Bad Request\r\ncontent-type: text/html\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
  });
  return closing.listen(server);
}

/** Strips the headers of an upgrade and passes the rest on: the manager sees a plain GET. */
export function strippingUpgrades(closing: Closing, pair: KeyPair, upstream: Upstream): Promise<number> {
  const server = createHttpsServer({ cert: pair.certificatePem, key: pair.privateKeyPem }, (request, response) => {
    const { upgrade: _upgrade, connection: _connection, ...headers } = request.headers;
    request.headers = headers;
    forward(upstream, request, response);
  });
  // Without a listener for it, Node hands an upgrade to the listener for requests.
  return closing.listen(server);
}
