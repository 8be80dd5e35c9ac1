import type { FastifyReply, FastifyRequest } from 'fastify';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { LimitName } from '../gateway/gateway-counts.ts';
import type { Tally } from './tally.ts';

/** Seconds. A heartbeat takes under a millisecond, a held poll up to 25 seconds. */
const DURATIONS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];
/** The standard methods; a client may invent others. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Requests by route *template*: a path that a client made up is counted as `none`, all of them as one. */
export class RequestMetrics {
  readonly #requests: Counter;
  readonly #durations: Histogram;
  readonly #limits: Tally<LimitName>;

  constructor(registry: Registry, limits: Tally<LimitName>) {
    this.#limits = limits;
    this.#requests = new Counter({
      name: 'sallyport_http_requests_total',
      help: 'Answered requests of the API, by route template and class of the status.',
      labelNames: ['method', 'route', 'status'],
      registers: [registry],
    });
    this.#durations = new Histogram({
      name: 'sallyport_http_request_duration_seconds',
      help: 'Time from the request to the end of its answer, by route template. Polls are held on purpose.',
      labelNames: ['route'],
      buckets: DURATIONS,
      registers: [registry],
    });
  }

  answered(request: FastifyRequest, reply: FastifyReply): void {
    const route = request.routeOptions.url ?? 'none';
    const method = METHODS.has(request.method) ? request.method : 'OTHER';
    this.#requests.inc({ method, route, status: `${Math.trunc(reply.statusCode / 100)}xx` });
    this.#durations.observe({ route }, reply.elapsedTime / 1_000);
    if (reply.statusCode === 413) this.#limits.add('body_size');
  }
}
