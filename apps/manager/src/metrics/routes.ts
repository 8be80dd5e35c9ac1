import { Type } from 'typebox';
import type { Registration } from '../http/app.ts';
import { Metrics } from './metrics.ts';

export function metricsRoutes(metrics: Metrics): Registration {
  return (app) => {
    app.get(
      '/metrics',
      {
        config: { access: 'operator' },
        schema: { summary: "Metrics of this process in Prometheus' text format", response: { 200: Type.String() } },
      },
      async (_request, reply) => reply.type(Metrics.contentType).send(await metrics.text()),
    );
  };
}
