import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request as forward, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';

export interface StrippingProxy {
  readonly url: string;
  /** PEM of its certificate, to be trusted as a CA. */
  readonly certificate: string;
  /** Upgrades that it was asked for. */
  readonly upgrades: () => number;
  close(): void;
}

/** A TLS-terminating reverse proxy as many companies run one: passes requests on, but not the first `stripped` upgrades. */
export async function startStrippingProxy(
  directory: string,
  upstream: string,
  ca: string,
  stripped = Number.POSITIVE_INFINITY,
): Promise<StrippingProxy> {
  const key = join(directory, 'proxy.key');
  const certificate = join(directory, 'proxy.crt');
  const subject = ['-subj', '/CN=proxy', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...algorithm, ...subject, '-keyout', key, '-out', certificate], {
    stdio: 'pipe',
  });
  const pem = readFileSync(certificate, 'utf8');
  const { port } = new URL(upstream);
  let upgrades = 0;
  const server: Server = createServer({ key: readFileSync(key), cert: pem }, (request, response) => {
    const { method = 'GET', url: path = '/', headers } = request;
    const options = { host: '127.0.0.1', servername: 'localhost', port, method, path, ca };
    const onward = forward({ ...options, headers: { ...headers, host: 'localhost' } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  server.on('upgrade', (request, socket) => {
    upgrades += 1;
    if (upgrades > stripped) {
      const onward = connect({ host: '127.0.0.1', servername: 'localhost', port: Number(port), ca });
      for (const end of [socket, onward]) end.on('error', () => end.destroy());
      const headers = { ...request.headers, host: 'localhost' };
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      onward.write(`GET ${request.url} HTTP/1.1\r\n${lines.join('')}\r\n`);
      socket.pipe(onward).pipe(socket);
      return;
    }
    socket.end('HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    certificate: pem,
    upgrades: () => upgrades,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
