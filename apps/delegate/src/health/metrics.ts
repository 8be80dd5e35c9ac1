import { totalmem } from 'node:os';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface MetricSources {
  readonly connected: () => boolean;
  /** Null when the delegate has no client certificate; then there is no such metric. */
  readonly certificateDaysLeft: (() => number) | null;
  readonly memoryThresholdPercent: number;
}

export interface Metrics {
  readonly registry: Registry;
  readonly executing: Gauge;
  readonly executionTime: Histogram;
  readonly completed: Counter;
  readonly failed: Counter;
  readonly timeouts: Counter;
  readonly rejected: Counter;
}

/** The prefix that dashboards for existing delegates look for. */
const PREFIX = 'io_harness_custom_metric_';

/** The delegate's metrics, in a registry of their own: several delegates may live in one process. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name: `${PREFIX}${name}`, help, registers });
  new Gauge({
    name: `${PREFIX}delegate_connected`,
    help: '1 while the delegate is connected to the manager, by push stream or long poll',
    registers,
    collect() {
      this.set(sources.connected() ? 1 : 0);
    },
  });
  new Gauge({
    name: `${PREFIX}resource_consumption_above_threshold`,
    help: `1 while more than ${sources.memoryThresholdPercent} % of the memory that this process may use is in use`,
    registers,
    collect() {
      this.set(memoryUsedPercent() > sources.memoryThresholdPercent ? 1 : 0);
    },
  });
  const { certificateDaysLeft } = sources;
  if (certificateDaysLeft !== null) {
    new Gauge({
      name: 'sallyport_delegate_client_certificate_days_left',
      help: 'Days until the client certificate in use expires, negative afterwards',
      registers,
      collect() {
        this.set(certificateDaysLeft());
      },
    });
  }
  return {
    registry,
    executing: new Gauge({ name: `${PREFIX}tasks_currently_executing`, help: 'Tasks that run now', registers }),
    executionTime: new Histogram({
      name: `${PREFIX}task_execution_time`,
      help: 'Seconds from the start of a task to its end',
      buckets: [0.1, 1, 5, 15, 60, 300, 900, 3600],
      registers,
    }),
    completed: counter('task_completed_total', 'Tasks that succeeded'),
    failed: counter('task_failed_total', 'Tasks that failed, those ended by their time limit or by request included'),
    timeouts: counter('task_timeout_total', 'Tasks that were ended by their time limit'),
    rejected: counter('task_rejected_total', 'Offers declined because all places were taken'),
  };
}

/** Of the container's limit when there is one, of the machine otherwise. */
function memoryUsedPercent(): number {
  const total = Math.min(process.constrainedMemory() || totalmem(), totalmem());
  return 100 * (1 - Math.min(process.availableMemory(), total) / total);
}
