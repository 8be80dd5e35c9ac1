import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { ErrorBody, LogErrorBody } from '@sallyport/protocol/schemas';
import type { FastifySchema, RouteOptions } from 'fastify';
import type { Access } from './access.ts';

export const OPENAPI: FastifyDynamicSwaggerOptions = {
  transform: ({ schema, url, route }) => ({ schema: describe(schema, route.config?.access), url }),
  openapi: {
    openapi: '3.1.0',
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
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
        logToken: { type: 'apiKey', in: 'header', name: 'X-Harness-Token' },
        delegateToken: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: 'Delegate <JWE made from the delegate token>',
        },
      },
    },
  },
};

/** The schema of a route. Throws when it has no summary or says nothing about its success: it would be missing from the description. */
export function requireDescription({ method, url, schema }: RouteOptions): FastifySchema {
  const name = `${String(method)} ${url}`;
  if (schema?.summary === undefined) throw new Error(`${name} has no schema.summary: say in one line what it does.`);
  if (!Object.keys(schema.response ?? {}).some((status) => status.startsWith('2'))) {
    throw new Error(`${name} has no schema.response of a success.`);
  }
  return schema;
}

/**
 * What the description adds to a route's own schema: who may call it, and the errors. Added here and not to the route,
 * because Fastify would compile a serializer of the error body for each.
 */
function describe(schema: FastifySchema, access: Access | undefined): FastifySchema {
  const isLog = access?.startsWith('log-') ?? false;
  const failure = isLog ? LogErrorBody : ErrorBody;
  return { ...schema, security: securityOf(access), response: { ...(schema.response as object), default: failure } };
}

/** One of them is enough. A link carries its own grant. */
function securityOf(access: Access | undefined): Record<string, string[]>[] {
  switch (access) {
    case 'public':
    case 'log-link':
      return [];
    case 'agent':
      return [{ delegateToken: [] }];
    case 'log-writer':
      return [{ logToken: [] }];
    case 'log-reader':
      return [{ logToken: [] }, { apiKey: [] }];
    default:
      return [{ apiKey: [] }];
  }
}
