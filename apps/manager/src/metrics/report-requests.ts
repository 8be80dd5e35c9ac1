import { Counter, type Histogram, type Registry } from 'prom-client';
import { DURATIONS, type RequestMetrics, type RouteCounts } from './request-metrics.ts';

/** Requests by route template, and how long they took. */
export function reportRequests(registry: Registry, { routes }: RequestMetrics): void {
  new Counter({
    name: 'sallyport_http_requests_total',
    help: 'Answered requests of the API, by route template and class of the status.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [route, { answers }] of routes) {
        for (const [method, counts] of answers)
          for (const [hundreds, count] of counts.entries())
            if (count > 0) this.inc({ method, route, status: `${hundreds}xx` }, count);
      }
    },
  });
  // A Histogram of the library takes single observations only, and so would be looked up at each request.
  registry.registerMetric(durationsOf(routes) as unknown as Histogram);
}

/** What a registry reads of a histogram at a scrape. */
function durationsOf(routes: ReadonlyMap<string, RouteCounts>) {
  const name = 'sallyport_http_request_duration_seconds';
  const valuesOf = (route: string, { durations, seconds }: RouteCounts) => {
    let count = 0;
    const buckets = durations.map((more, index) => {
      count += more;
      return { metricName: `${name}_bucket`, labels: { le: DURATIONS[index] ?? '+Inf', route }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: { route }, value: seconds },
      { metricName: `${name}_count`, labels: { route }, value: count },
    ];
  };
  return {
    name,
    get: async () => ({
      ...{ name, type: 'histogram', aggregator: 'sum' },
      help: 'Time from the request to the end of its answer, by route template. Polls are held on purpose.',
      values: [...routes].flatMap(([route, counts]) => valuesOf(route, counts)),
    }),
  };
}
