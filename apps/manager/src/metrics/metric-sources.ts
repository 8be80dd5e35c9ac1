import type { Bus } from '../bus/bus.ts';
import type { CertificateFigures } from '../certificates/certificate-figures.ts';
import type { GatewayBounds } from '../gateway/gateway-bounds.ts';
import type { LiveConnections } from '../gateway/live-connections.ts';
import type { LogCounts } from '../logs/log-room.ts';
import type { TaskService } from '../tasks/task-service.ts';
import type { Tally } from './tally.ts';

/** Where the figures of a scrape are read, besides those of requests. */
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
