import {
  AgentMtlsEndpointDetails,
  AgentMtlsEndpointRequest,
  hybrid,
  hybridResponse,
  restResponse,
  SallyportError,
  success,
} from '@sallyport/protocol';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { accountOf, principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { EndpointReport, EndpointService } from './endpoint-service.ts';

const path = '/ng/api/agent/mtls';
const tags = ['mtls-endpoints'];

/** Named here only to be refused: dropping them would give a whole account what was meant for one project. */
const querystring = Type.Object({
  accountIdentifier: Type.Optional(Type.String()),
  orgIdentifier: Type.Optional(Type.String()),
  projectIdentifier: Type.Optional(Type.String()),
});

const admin = { access: 'account-admin', denial: 'NG_ACCESS_DENIED' } as const;
const viewer = { access: 'account-viewer', denial: 'NG_ACCESS_DENIED' } as const;

/** `urlOf` gives the URL that delegates connect to for an endpoint's name. */
export function endpointRoutes(endpoints: EndpointService, urlOf: (fqdn: string) => string): Registration {
  const response = { 200: hybridResponse(AgentMtlsEndpointDetails) };

  // Clients of both body shapes are in use: the hybrid satisfies them.
  function answer({ endpoint, warnings }: EndpointReport) {
    const { revision: _, ...details } = endpoint;
    return hybrid(details, { url: urlOf(endpoint.fqdn), warnings });
  }

  return (app) => {
    const write = { config: admin, preHandler: refuseProjects };
    app.post(
      `${path}/endpoint`,
      {
        ...write,
        schema: {
          summary: 'Create the mTLS endpoint of an account',
          ...{ tags, querystring, response, body: AgentMtlsEndpointRequest },
        },
      },
      async (request) => answer(await endpoints.create(accountOf(request), request.body, principalOf(request))),
    );
    app.put(
      `${path}/endpoint`,
      {
        ...write,
        schema: {
          summary: 'Replace domain prefix, CA certificates and mode of the mTLS endpoint',
          ...{ tags, querystring, response, body: AgentMtlsEndpointRequest },
        },
      },
      async (request) => answer(await endpoints.update(accountOf(request), request.body, principalOf(request))),
    );
    app.patch(
      `${path}/endpoint`,
      {
        ...write,
        schema: {
          summary: 'Change some of domain prefix, CA certificates and mode of the mTLS endpoint',
          ...{ tags, querystring, response, body: AgentMtlsEndpointRequest },
        },
      },
      async (request) => answer(await endpoints.patch(accountOf(request), request.body, principalOf(request))),
    );
    app.get(
      `${path}/endpoint`,
      {
        config: viewer,
        preHandler: refuseProjects,
        schema: { summary: 'The mTLS endpoint of an account', ...{ tags, querystring, response } },
      },
      async (request) => answer(await endpoints.get(accountOf(request))),
    );
    app.delete(
      `${path}/endpoint`,
      {
        ...write,
        schema: {
          summary: 'Delete the mTLS endpoint; false when there was none',
          ...{ tags, querystring, response: { 200: restResponse(Type.Boolean()) } },
        },
      },
      async (request) => success(await endpoints.delete(accountOf(request), principalOf(request))),
    );
    app.get(
      `${path}/check-availability`,
      {
        config: viewer,
        preHandler: refuseProjects,
        schema: {
          summary: 'Whether no endpoint has this domain prefix yet',
          tags,
          querystring: Type.Object({ ...querystring.properties, domainPrefix: Type.Optional(Type.String()) }),
          response: { 200: restResponse(Type.Boolean()) },
        },
      },
      async (request) => success(await endpoints.isAvailable(accountOf(request), request.query.domainPrefix ?? '')),
    );
  };
}

async function refuseProjects(request: FastifyRequest): Promise<void> {
  const { orgIdentifier, projectIdentifier } = request.query as Record<string, string | undefined>;
  if (!orgIdentifier && !projectIdentifier) return;
  throw new SallyportError('INVALID_REQUEST', 'project-level certificates are not supported', {
    remedy: 'Leave orgIdentifier and projectIdentifier out: an account has one mTLS endpoint.',
  });
}
