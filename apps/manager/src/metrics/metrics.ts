import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Bus } from '../bus/bus.ts';
import type { CertificateFigures } from '../certificates/certificate-figures.ts';
import type { GatewayBounds } from '../gateway/gateway-bounds.ts';
import type { LiveConnections } from '../gateway/live-connections.ts';
import type { LogCounts } from '../logs/log-room.ts';
import type { TaskService } from '../tasks/task-service.ts';
import { reportCertificates } from './certificate-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';
import type { Tally } from './tally.ts';

export interface MetricSources {
  readonly bounds: GatewayBounds;
  readonly connections: LiveConnections;
  readonly refusals: { readonly counts: Tally<string> };
  readonly presence: { readonly size: number };
  readonly streams: () => number;
  readonly logs: LogCounts;
  readonly tasks: Pick<TaskService, 'counts'>;
  readonly bus: Pick<Bus, 'inStep'>;
  readonly certificates: CertificateFigures;
  readonly webhooks: { readonly counts: Tally<string> };
  readonly upgrades: { readonly counts: Tally<string> };
}

/**
 * What this process reports to Prometheus. Everything is counted where it happens and read at a scrape. No label ever holds what a client chose; nor does one name an account, but for the few endpoints whose client
 * certificates end first: with ten thousand of them a scrape would be megabytes. Whom a number is about is in the log
 * and in the account's refusals.
 */
export class Metrics {
  readonly requests: RequestMetrics;
  readonly #registry = new Registry();

  constructor(sources: MetricSources) {
    const { bounds, connections, refusals, presence, streams, tasks, bus, upgrades, certificates, webhooks, logs } =
      sources;
    this.requests = new RequestMetrics(this.#registry, bounds.counts.limits);
    this.#tally(
      'sallyport_handshakes_total',
      'TLS handshakes by listener, and how they ended: admitted, refused by the verdict, failed, timed out.',
      ['listener', 'outcome'],
      bounds.counts.handshakes,
    );
    this.#tally(
      'sallyport_limit_hits_total',
      'How often a client ran into a limit, by limit.',
      ['limit'],
      bounds.counts.limits,
    );
    this.#tally(
      'sallyport_refusals_total',
      'Refused connections and requests of delegates, by reason.',
      ['reason'],
      refusals.counts,
    );
    this.#tally(
      'sallyport_connections_cut_total',
      'Live connections that were cut because what admitted them no longer holds, by error code.',
      ['code'],
      connections.cuts,
    );
    this.#tally(
      'sallyport_tasks_total',
      'Tasks that this process took in (QUEUED) and ended, by their status then.',
      ['status'],
      tasks.counts,
    );
    this.#tally(
      'sallyport_upgrades_total',
      'Upgrades of delegates that were judged, by outcome, and rings that this process halted (halted).',
      ['outcome'],
      upgrades.counts,
    );
    this.#tally(
      'sallyport_webhook_deliveries_total',
      'Attempts to deliver a webhook by outcome: delivered, retried later, failed for good; dropped: never queued.',
      ['outcome'],
      webhooks.counts,
    );
    reportCertificates(this.#registry, certificates);
    new Gauge({
      name: 'sallyport_live_connections',
      help: 'Connections that passed the first door, by listener.',
      labelNames: ['listener'],
      registers: [this.#registry],
      collect() {
        for (const listener of ['public', 'mtls'] as const) this.set({ listener }, connections.countOf(listener));
      },
    });
    this.#gauge(
      'sallyport_sources',
      'Addresses (IPv6: /64 networks) that have a connection open.',
      () => bounds.sources.size,
    );
    this.#gauge(
      'sallyport_handshakes_in_flight',
      'Connections in the middle of their TLS handshake.',
      () => bounds.sources.handshaking,
    );
    this.#gauge('sallyport_push_streams', 'Open push streams of delegates.', streams);
    this.#gauge('sallyport_delegates_present', 'Delegates connected to this process.', () => presence.size);
    this.#total('sallyport_log_lines_total', "Lines of tasks' logs that this process has stored.", () => logs.lines);
    this.#total(
      'sallyport_log_bytes_total',
      "Bytes of the lines of tasks' logs that this process has stored.",
      () => logs.bytes,
    );
    this.#gauge('sallyport_log_tails', "Open tails of tasks' logs.", () => logs.tails);
    this.#gauge('sallyport_bus_in_step', '0 while changes of other replicas may be missed, otherwise 1.', () =>
      bus.inStep ? 1 : 0,
    );
  }

  static readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;

  /** Everything in Prometheus' text format. */
  async text(): Promise<string> {
    return `${await this.#registry.metrics()}\n${await processRegistry().metrics()}`;
  }

  #tally(name: string, help: string, labelNames: readonly string[], tally: Tally<string>): void {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [key, count] of tally.entries()) {
          const values = key.split(':');
          this.inc(Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? ''])), count);
        }
      },
    });
  }

  #total(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }
}

let ofTheProcess: Registry | null = null;

/** CPU, memory, event loop: facts of the process, so one registry however many managers it holds. Watched from the first scrape. */
function processRegistry(): Registry {
  if (ofTheProcess === null) {
    ofTheProcess = new Registry();
    collectDefaultMetrics({ register: ofTheProcess });
  }
  return ofTheProcess;
}
