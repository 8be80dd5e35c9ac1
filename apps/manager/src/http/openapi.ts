import { ErrorBody } from '@sallyport/protocol';
import type { RouteOptions } from 'fastify';
import type { Access } from './access.ts';

export const OPENAPI = {
  openapi: {
    openapi: '3.1.0' as const,
    info: {
      title: 'Sallyport control plane',
      version: '1',
      description:
        'Accounts, their mTLS endpoints, delegates and tasks. Every path is also served below /gateway. ' +
        'Errors carry a code, what is wrong, a remedy and a correlation id.',
    },
    servers: [{ url: '/' }, { url: '/gateway' }],
    components: {
      securitySchemes: {
        apiKey: { type: 'apiKey' as const, in: 'header' as const, name: 'x-api-key' },
        delegateToken: {
          type: 'apiKey' as const,
          in: 'header' as const,
          name: 'Authorization',
          description: 'Delegate <JWE made from the delegate token>',
        },
      },
    },
  },
};

/** Completes the description of a route. Throws when it has no summary or says nothing about its success. */
export function documentRoute(route: RouteOptions, access: Access): void {
  const name = `${String(route.method)} ${route.url}`;
  const { schema } = route;
  if (schema?.summary === undefined) throw new Error(`${name} has no schema.summary: say in one line what it does.`);
  const responses = (schema.response ?? {}) as Record<string, unknown>;
  if (!Object.keys(responses).some((status) => status.startsWith('2'))) {
    throw new Error(`${name} has no schema.response of a success.`);
  }
  const security = access === 'public' ? [] : access === 'agent' ? [{ delegateToken: [] }] : [{ apiKey: [] }];
  route.schema = { ...schema, security, response: { ...responses, default: ErrorBody } };
}
