import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { reportCertificates } from './certificate-metrics.ts';
import type { MetricSources } from './metric-sources.ts';
import { reportRequests } from './report-requests.ts';
import type { RequestMetrics } from './request-metrics.ts';
import type { Tally } from './tally.ts';

/**
 * Everything that a scrape reads. No label ever holds what a client chose; nor does one name an account, but for the few
 * endpoints whose client certificates end first: with ten thousand of them a scrape would be megabytes. Whom a number is
 * about is in the log and in the account's refusals.
 */
export function registryOf(sources: MetricSources, requests: RequestMetrics): Registry {
  const { bounds, connections, refusals, presence, streams, tasks, bus, upgrades, certificates, webhooks, logs } =
    sources;
  const registry = new Registry();
  const tally = (name: string, help: string, labelNames: readonly string[], counts: Tally<string>): void => {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        for (const [key, count] of counts.entries()) {
          const values = key.split(':');
          this.inc(Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? ''])), count);
        }
      },
    });
  };

  const total = (name: string, help: string, read: () => number): void => {
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };

  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };

  reportRequests(registry, requests);
  tally(
    'sallyport_handshakes_total',
    'TLS handshakes by listener, and how they ended: admitted, refused by the verdict, failed, timed out.',
    ['listener', 'outcome'],
    bounds.counts.handshakes,
  );
  tally(
    'sallyport_limit_hits_total',
    'How often a client ran into a limit, by limit.',
    ['limit'],
    bounds.counts.limits,
  );
  tally(
    'sallyport_refusals_total',
    'Refused connections and requests of delegates, by reason.',
    ['reason'],
    refusals.counts,
  );
  tally(
    'sallyport_connections_cut_total',
    'Live connections that were cut because what admitted them no longer holds, by error code.',
    ['code'],
    connections.cuts,
  );
  tally(
    'sallyport_tasks_total',
    'Tasks that this process took in (QUEUED) and ended, by their status then.',
    ['status'],
    tasks.counts,
  );
  tally(
    'sallyport_upgrades_total',
    'Upgrades of delegates that were judged, by outcome, and rings that this process halted (halted).',
    ['outcome'],
    upgrades.counts,
  );
  tally(
    'sallyport_webhook_deliveries_total',
    'Attempts to deliver a webhook by outcome: delivered, retried later, failed for good; dropped: never queued.',
    ['outcome'],
    webhooks.counts,
  );
  reportCertificates(registry, certificates);
  new Gauge({
    name: 'sallyport_live_connections',
    help: 'Connections that passed the first door, by listener.',
    labelNames: ['listener'],
    registers: [registry],
    collect() {
      for (const listener of ['public', 'mtls'] as const) this.set({ listener }, connections.countOf(listener));
    },
  });
  gauge('sallyport_sources', 'Addresses (IPv6: /64 networks) that have a connection open.', () => bounds.sources.size);
  gauge(
    'sallyport_handshakes_in_flight',
    'Connections in the middle of their TLS handshake.',
    () => bounds.sources.handshaking,
  );
  gauge('sallyport_push_streams', 'Open push streams of delegates.', streams);
  gauge('sallyport_delegates_present', 'Delegates connected to this process.', () => presence.size);
  total('sallyport_log_lines_total', "Lines of tasks' logs that this process has stored.", () => logs.lines);
  total(
    'sallyport_log_bytes_total',
    "Bytes of the lines of tasks' logs that this process has stored.",
    () => logs.bytes,
  );
  gauge('sallyport_log_tails', "Open tails of tasks' logs.", () => logs.tails);
  gauge('sallyport_bus_in_step', '0 while changes of other replicas may be missed, otherwise 1.', () =>
    bus.inStep ? 1 : 0,
  );
  return registry;
}

let ofTheProcess: Registry | null = null;

/** CPU, memory, event loop: facts of the process, so one registry however many managers it holds. Watched from the first scrape. */
export function processRegistry(): Registry {
  if (ofTheProcess === null) {
    ofTheProcess = new Registry();
    collectDefaultMetrics({ register: ofTheProcess });
  }
  return ofTheProcess;
}
