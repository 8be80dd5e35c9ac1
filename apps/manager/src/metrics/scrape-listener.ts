import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isLoopback, type ListenAddress } from '../config/config.ts';
import { Metrics } from './metrics.ts';

export interface ScrapeListener {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

/** A scraper keeps one connection; a few more for people. */
const MAX_CONNECTIONS = 20;
const REQUEST_TIMEOUT_MS = 5_000;

/** Serves `/metrics` over plain HTTP, without a key, on a loopback address. Rejects naming the address. */
export async function openScrapeListener(address: ListenAddress, metrics: Metrics): Promise<ScrapeListener> {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      // A web page in a browser on this machine can make its own name resolve to loopback (DNS rebinding), and would then
      // read the answer as its own: only requests for a loopback name are answered.
      if (!isLoopbackHost(request.headers.host)) return void response.writeHead(421).end();
      if (request.url !== '/metrics') return void response.writeHead(404).end('Metrics are at /metrics.\n');
      if (request.method !== 'GET') return void response.writeHead(405).end();
      metrics.text().then(
        (text) => response.writeHead(200, { 'content-type': Metrics.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new Error(`cannot open the metrics listener on ${address.host}:${address.port}: ${cause.message}`, { cause }),
      ),
    );
    server.listen(address.port, address.host, resolve);
  });
  return {
    address: { host: address.host, port: (server.address() as AddressInfo).port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function isLoopbackHost(host: string | undefined): boolean {
  const name = /^(\[[0-9a-f:]+\]|[^:]+)(?::\d+)?$/i.exec(host ?? '')?.[1];
  return name !== undefined && isLoopback(name.replace(/^\[|\]$/g, '').toLowerCase());
}
