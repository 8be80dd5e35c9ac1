import { hybrid, success } from '@sallyport/protocol';
import {
  AgentMtlsEndpointDetails,
  AgentMtlsEndpointRequest,
  hybridResponse,
  restResponse,
} from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { accountOf, principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { EndpointReport, EndpointService } from './endpoint-service.ts';
import {
  MTLS_ADMIN,
  MTLS_QUERY,
  MTLS_VIEWER,
  MTLS_PATH as path,
  refuseProjects,
  MTLS_TAGS as tags,
} from './mtls-route.ts';
import { refuseLostSafety, safetyOf, safetyQuery } from './safety.ts';

const querystring = Type.Object(MTLS_QUERY);
const changeQuery = Type.Object({ ...MTLS_QUERY, ...safetyQuery });

/** `urlOf` gives the URL that delegates connect to for an endpoint's name. */
export function endpointRoutes(endpoints: EndpointService, urlOf: (fqdn: string) => string): Registration {
  const response = { 200: hybridResponse(AgentMtlsEndpointDetails) };

  // Clients of both body shapes are in use: the hybrid satisfies them.
  function answer({ endpoint, warnings, revertsAt, cutOff }: EndpointReport) {
    const { revision: _, ...details } = endpoint;
    return hybrid(details, {
      url: urlOf(endpoint.fqdn),
      warnings,
      ...(revertsAt !== null && { revertsAt }),
      ...(cutOff !== undefined && { cutOff }),
    });
  }

  return (app) => {
    const write = { config: MTLS_ADMIN, preHandler: [refuseProjects, refuseLostSafety([])] };
    const change = { config: MTLS_ADMIN, preHandler: [refuseProjects, refuseLostSafety(Object.keys(safetyQuery))] };
    const read = { config: MTLS_VIEWER, preHandler: refuseProjects };
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
        ...change,
        schema: {
          summary: 'Replace domain prefix, CA certificates and mode of the mTLS endpoint',
          description: CHANGE,
          ...{ tags, querystring: changeQuery, response, body: AgentMtlsEndpointRequest },
        },
      },
      async (request) => {
        const safety = safetyOf(request.query);
        return answer(await endpoints.update(accountOf(request), request.body, principalOf(request), safety));
      },
    );
    app.patch(
      `${path}/endpoint`,
      {
        ...change,
        schema: {
          summary: 'Change some of domain prefix, CA certificates and mode of the mTLS endpoint',
          description: CHANGE,
          ...{ tags, querystring: changeQuery, response, body: AgentMtlsEndpointRequest },
        },
      },
      async (request) => {
        const safety = safetyOf(request.query);
        return answer(await endpoints.patch(accountOf(request), request.body, principalOf(request), safety));
      },
    );
    app.post(
      `${path}/endpoint/confirm`,
      {
        ...write,
        schema: {
          summary: 'Keep a change that was made with revertAfter; 409 when none is waiting',
          ...{ tags, querystring, response },
        },
      },
      async (request) => answer(await endpoints.confirm(accountOf(request), principalOf(request))),
    );
    app.get(
      `${path}/endpoint`,
      { ...read, schema: { summary: 'The mTLS endpoint of an account', ...{ tags, querystring, response } } },
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
        ...read,
        schema: {
          summary: 'Whether no endpoint has this domain prefix yet',
          tags,
          querystring: Type.Object({ ...MTLS_QUERY, domainPrefix: Type.Optional(Type.String()) }),
          response: { 200: restResponse(Type.Boolean()) },
        },
      },
      async (request) => success(await endpoints.isAvailable(accountOf(request), request.query.domainPrefix ?? '')),
    );
  };
}

const CHANGE =
  'metaData.cutOff names the delegates that the change cut off: {delegateId, name, hostName, transport, reason}. ' +
  'metaData.revertsAt (epoch milliseconds) is when a change is taken back. A change without revertAfter leaves one that ' +
  'waits waiting: the fields on trial still go back then, what it set in others stays. Setting a field on trial back to ' +
  'its earlier value ends its trial; putting a third CA bundle in the place of one on trial is refused (409) without a ' +
  'revertAfter. One with revertAfter moves the moment and keeps the older state as what comes back.';
