import type { Registry } from 'prom-client';
import type { MetricSources } from './metric-sources.ts';
import { RequestMetrics } from './request-metrics.ts';

/** What this process reports to Prometheus. Everything is counted where it happens and read at a scrape. */
export class Metrics {
  static readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';

  readonly requests: RequestMetrics;
  readonly #sources: MetricSources;
  #registries: readonly Registry[] | null = null;

  constructor(sources: MetricSources) {
    this.#sources = sources;
    this.requests = new RequestMetrics(sources.bounds.counts.limits);
  }

  /** Everything in Prometheus' text format. */
  async text(): Promise<string> {
    // Kept when it is there: loading may fail while all file descriptors are in use, when metrics are needed most.
    this.#registries ??= await this.#load();
    const texts = this.#registries.map((registry) => registry.metrics());
    return (await Promise.all(texts)).join('\n');
  }

  /** At the first scrape: the library is a tenth of what a start would load, and many a process is never scraped. */
  async #load(): Promise<readonly Registry[]> {
    const { processRegistry, registryOf } = await import('./registry.ts');
    return [registryOf(this.#sources, this.requests), processRegistry()];
  }
}
