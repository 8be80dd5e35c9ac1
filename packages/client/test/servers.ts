import { spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect, type Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { Pair, TestAuthority } from './certificates.ts';

export interface TestServer {
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  /** Common names of the client certificates, one for each handshake; '' for none. */
  readonly handshakes: string[];
}

/** An HTTPS server on loopback that asks for client certificates and lets everybody in. */
export async function serve(
  context: TestContext,
  authority: TestAuthority,
  onRequest: RequestListener,
  options: { readonly pair?: Pair; readonly hostname?: string } = {},
): Promise<TestServer> {
  const pair = options.pair ?? authority.server('manager.localhost', 'localhost');
  const server = createServer(
    { cert: pair.certificate, key: pair.key, ca: authority.certificate, requestCert: true, rejectUnauthorized: false },
    onRequest,
  );
  const handshakes: string[] = [];
  server.on('secureConnection', (socket: TLSSocket) => handshakes.push(clientName(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, url: `https://${options.hostname ?? 'manager.localhost'}:${port}`, handshakes };
}

export function clientName(socket: unknown): string {
  const subject = (socket as TLSSocket).getPeerX509Certificate()?.subject ?? '';
  return subject.replace('CN=', '');
}

export interface TestProxy {
  readonly port: number;
  /** Request lines and authorization of the tunnels asked for. */
  readonly tunnels: { readonly authority: string; readonly authorization: string | undefined }[];
  /** Common names of the client certificates that a proxy with TLS was shown; '' for none. */
  readonly clients: string[];
}

export interface TestProxyOptions {
  readonly refuseWith?: number;
  /** Makes the proxy itself speak TLS, and ask for a client certificate. */
  readonly authority?: TestAuthority;
}

/** A CONNECT proxy on loopback that resolves every name to loopback. */
export async function proxy(context: TestContext, options: TestProxyOptions = {}): Promise<TestProxy> {
  const { refuseWith, authority } = options;
  const tunnels: TestProxy['tunnels'] = [];
  const clients: string[] = [];
  const open = new Set<Duplex>();
  const server = authority === undefined ? createHttpServer() : tlsServer(authority, clients);
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    open.add(client);
    tunnels.push({ authority: request.url ?? '', authorization: request.headers['proxy-authorization'] });
    if (refuseWith !== undefined) {
      client.end(`HTTP/1.1 ${refuseWith} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const upstream = connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    open.add(upstream);
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, tunnels, clients };
}

function tlsServer(authority: TestAuthority, clients: string[]): Server {
  const { certificate, key } = authority.server('proxy.localhost');
  const trust = { ca: authority.certificate, requestCert: true, rejectUnauthorized: false };
  const server = createServer({ cert: certificate, key, ...trust });
  return server.on('secureConnection', (socket: TLSSocket) => clients.push(clientName(socket)));
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Listens on a free port of loopback until the test ends. */
export async function listening(context: TestContext, server: NetServer): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** OpenSSL's own server, which ends the handshake with an alert unless a client certificate is sent. */
export async function strictOpensslServer(context: TestContext, authority: TestAuthority): Promise<number> {
  const pair = authority.server('manager.localhost');
  const [certificate, key] = authority.write('strict', pair);
  const verify = ['-CAfile', authority.certificatePath, '-Verify', '1', '-verify_return_error'];
  const args = ['s_server', '-accept', '127.0.0.1:0', '-cert', certificate, '-key', key, ...verify];
  const child = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  context.after(() => child.kill());
  let output = '';
  for await (const [chunk] of on(child.stdout, 'data', { close: ['end'] })) {
    output += String(chunk);
    if (output.includes('ACCEPT')) break;
  }
  child.stdout.resume();
  const port = /^ACCEPT 127\.0\.0\.1:(\d+)/m.exec(output)?.[1];
  if (port === undefined) throw new Error('openssl s_server did not start');
  return Number(port);
}
