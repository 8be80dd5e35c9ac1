// What a proxy stands in front of: the least that a Node program can do. It answers every request with one constant and
// every WebSocket upgrade with yes.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { obey } from '../process/worker.ts';

const WEB_SOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const commands = {
  /** Resolves with the port. */
  start(answer: string): Promise<number> {
    const headers = { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(answer) };
    const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
      request.resume();
      response.writeHead(200, headers);
      response.end(answer);
    });
    server.on('upgrade', (request, socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('end', () => socket.end());
      socket.resume();
      const key = String(request.headers['sec-websocket-key']);
      const accept = createHash('sha1')
        .update(key + WEB_SOCKET_GUID)
        .digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
      );
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', 4_096, () => resolve((server.address() as AddressInfo).port));
    });
  },
};

export type BareNodeCommands = typeof commands;
obey(commands);
