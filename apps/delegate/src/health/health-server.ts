import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { HealthReport } from './health-report.ts';

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** A probe is one small GET; whoever needs longer is not a probe. */
const REQUEST_TIMEOUT_MS = 5000;

/**
 * GET /api/health and /api/metrics, as the probes and annotations of delegate manifests expect them, without
 * authentication: the answers hold names and states, no secret. `host` null binds all interfaces.
 */
export async function startHealthServer(
  address: { readonly host: string | null; readonly port: number },
  report: () => HealthReport,
  registry: Registry,
): Promise<HealthServer> {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      answer(request, response, report, registry).catch(() => response.destroy());
    },
  );
  server.listen({ port: address.port, ...(address.host === null ? {} : { host: address.host }) });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  report: () => HealthReport,
  registry: Registry,
): Promise<void> {
  const path = request.url?.split('?')[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
  } else if (path === '/api/health') {
    const health = report();
    const body = `${JSON.stringify(health)}\n`;
    response.writeHead(health.status === 'UP' ? 200 : 503, { 'content-type': 'application/json' }).end(body);
  } else if (path === '/api/metrics') {
    response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics());
  } else {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('Here are /api/health and /api/metrics.\n');
  }
}
