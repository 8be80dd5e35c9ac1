import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import { createSecureContext, type SecureContext, type TlsOptions } from 'node:tls';
import { type IssuedPair, issueServerCertificate } from '@sallyport/trust';
import { type Closing, forward, type KeyPair } from './servers.ts';

export type OnConnect = (request: IncomingMessage, socket: Socket) => void;

const answerWith = (line: string, body = '', ...headers: string[]): OnConnect => {
  const head = [`HTTP/1.1 ${line}`, `content-length: ${body.length}`, 'connection: close', ...headers, '', body];
  return (_request, socket) => void socket.end(head.join('\r\n'));
};

export const REFUSES = answerWith('403 Forbidden');
export const CANNOT_REACH = answerWith('502 Bad Gateway');
export const WANTS_PASSWORD = answerWith(
  '407 Proxy Authentication Required',
  '',
  'proxy-authenticate: Basic realm="x"',
);
export const SAYS_NO_CERTIFICATE = answerWith('400 Bad Request', 'No required SSL certificate was sent');
export const SILENT: OnConnect = () => undefined;
export const HANGS_UP: OnConnect = (_request, socket) => void socket.destroy();

/** An ordinary proxy: a tunnel to wherever it is asked, on loopback. */
export const TUNNELS: OnConnect = (request, socket) => {
  const upstream = connect(Number((request.url ?? '').split(':').at(-1)), '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.pipe(upstream).pipe(socket);
  });
  upstream.on('error', () => socket.destroy());
  socket.on('error', () => upstream.destroy());
  socket.on('close', () => upstream.destroy());
};

export const withPassword =
  (authorization: string, then: OnConnect): OnConnect =>
  (request, socket) =>
    (request.headers['proxy-authorization'] === authorization ? then : WANTS_PASSWORD)(request, socket);

export function httpProxy(closing: Closing, onConnect: OnConnect): Promise<number> {
  return closing.listen(withConnect(createHttpServer(), closing, onConnect));
}

/** A proxy that is itself spoken to over TLS. */
export function tlsProxy(
  closing: Closing,
  pair: KeyPair,
  onConnect: OnConnect,
  options: TlsOptions = {},
): Promise<number> {
  const server = createHttpsServer({ cert: pair.certificatePem, key: pair.privateKeyPem, ...options });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return closing.listen(withConnect(server, closing, onConnect));
}

function withConnect(server: Server, closing: Closing, onConnect: OnConnect): Server {
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    closing.keep(socket);
    onConnect(request, socket);
  });
  return server;
}

export interface Inspecting {
  /** Its own CA. */
  readonly authority: KeyPair;
  /** Under which name it makes the certificate: the one that the client asks for, or always that of the CONNECT. */
  readonly names: 'of-the-client' | 'of-the-connect';
}

/** A TLS-inspecting proxy: it ends the tunnel's TLS with a certificate made on the spot, and makes a TLS of its own behind. */
export function inspecting(closing: Closing, { authority, names }: Inspecting): Promise<number> {
  const made = new Map<string, Promise<SecureContext>>();
  const contextFor = (name: string): Promise<SecureContext> => {
    const known = made.get(name) ?? contextOf(issueServerCertificate({ authority, dnsNames: [name], now: new Date() }));
    made.set(name, known);
    return known;
  };
  return httpProxy(closing, (request, socket) => {
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const inner = createHttpsServer(
      {
        SNICallback: (name, done) => {
          contextFor(names === 'of-the-client' ? name : host).then((context) => done(null, context), done);
        },
      },
      (inside, response) => forward({ host, port: Number(port) }, inside, response),
    );
    inner.on('tlsClientError', (_error, broken) => broken.destroy());
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    inner.emit('connection', socket);
  });
}

async function contextOf(issued: Promise<IssuedPair>): Promise<SecureContext> {
  const { certificatePem, privateKeyPem } = await issued;
  return createSecureContext({ cert: certificatePem, key: privateKeyPem });
}
