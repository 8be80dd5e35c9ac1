import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
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
}

/** A CONNECT proxy on loopback that resolves every name to loopback. */
export async function proxy(context: TestContext, refuseWith?: number): Promise<TestProxy> {
  const tunnels: TestProxy['tunnels'] = [];
  const open = new Set<Duplex>();
  const server = createHttpServer();
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
  return { port: (server.address() as AddressInfo).port, tunnels };
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
