import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Headers by which a proxy tells the backend who is there. The tenant is set from what the handshake settled. */
export const IDENTITY_HEADERS = ['X-Tenant', 'X-Client-Verify', 'X-Client-Subject'] as const;

/**
 * The application behind a proxy: answers what it was told about the client. It reads header names as CGI, WSGI and
 * PHP do, where `X_Tenant` and `X-Tenant` are one name, and takes the last of several values.
 */
export class Backend {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async start(): Promise<Backend> {
    const server = createServer((request, response) => {
      request.resume();
      const body = JSON.stringify(told(request));
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
      response.end(body);
    });
    server.on('upgrade', (request, socket) => {
      socket.on('error', () => socket.destroy());
      const body = JSON.stringify(told(request));
      const accept = createHash('sha1')
        .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest('base64');
      const head = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`].join('\r\n');
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head}\r\n\r\n${body}`);
      socket.on('data', (data) => socket.write(data));
      socket.on('end', () => socket.end());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Backend(server);
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function told(request: IncomingMessage): { backend: true; tenant: string; verify: string; subject: string } {
  const [tenant, verify, subject] = IDENTITY_HEADERS.map((name) => {
    let value = '';
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      const given = request.rawHeaders[at]?.replaceAll('_', '-').toLowerCase();
      if (given === name.toLowerCase()) value = request.rawHeaders[at + 1] ?? '';
    }
    return value;
  });
  return { backend: true, tenant: tenant ?? '', verify: verify ?? '', subject: subject ?? '' };
}
