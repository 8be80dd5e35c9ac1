import { success } from '@sallyport/protocol';
import {
  AllowedIdentities,
  DelegatePin,
  DeniedCertificateEntry,
  DenyCertificateRequest,
  PinDelegateRequest,
  restResponse,
} from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { MTLS_ADMIN, MTLS_PATH, MTLS_QUERY, MTLS_TAGS, MTLS_VIEWER, refuseProjects } from '../endpoints/mtls-route.ts';
import { accountOf, principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { DeniedCertificateService } from './denied-certificate-service.ts';
import type { IdentityService } from './identity-service.ts';

const shared = { tags: MTLS_TAGS, querystring: Type.Object(MTLS_QUERY) };
const read = { config: MTLS_VIEWER, preHandler: refuseProjects };
const write = { config: MTLS_ADMIN, preHandler: refuseProjects };
const Delegate = Type.Object({ delegateName: Type.String({ minLength: 1, maxLength: 256 }) });

export function deniedCertificateRoutes(denied: DeniedCertificateService): Registration {
  const path = `${MTLS_PATH}/denied-certificates`;
  return (app) => {
    app.get(
      path,
      {
        ...read,
        schema: {
          summary: 'Certificates that are refused, with everything below them',
          ...{ ...shared, response: { 200: restResponse(Type.Array(DeniedCertificateEntry)) } },
        },
      },
      async (request) => success([...(await denied.list(accountOf(request)))]),
    );
    app.post(
      path,
      {
        ...write,
        schema: {
          summary: 'Refuse a certificate from now on, by its fingerprint or by issuer and serial number',
          ...{ ...shared, body: DenyCertificateRequest, response: { 200: restResponse(DeniedCertificateEntry) } },
        },
      },
      async (request) => {
        const { entry, warnings } = await denied.add(accountOf(request), request.body, principalOf(request));
        return success(entry, { warnings });
      },
    );
    app.delete(
      `${path}/:certificate`,
      {
        ...write,
        schema: {
          summary: 'Refuse a certificate no longer, by the uuid of its entry or by its fingerprint',
          params: Type.Object({ certificate: Type.String({ maxLength: 128 }) }),
          ...{ ...shared, response: { 200: restResponse(Type.Boolean()) } },
        },
      },
      async (request) => {
        await denied.remove(accountOf(request), request.params.certificate, principalOf(request));
        return success(true);
      },
    );
  };
}

export function identityRoutes(identities: IdentityService): Registration {
  return (app) => {
    app.get(
      `${MTLS_PATH}/allowed-identities`,
      {
        ...read,
        schema: {
          summary: "Identities that clients may have; none: every certificate of the endpoint's CAs",
          ...{ ...shared, response: { 200: restResponse(AllowedIdentities) } },
        },
      },
      async (request) => success({ identities: [...(await identities.allowed(accountOf(request)))] }),
    );
    app.put(
      `${MTLS_PATH}/allowed-identities`,
      {
        ...write,
        schema: {
          summary: 'Replace the identities that clients may have',
          description:
            'metaData.cutOff names the delegates that were cut off, metaData.warnings the identities that no certificate can have. DNS names are compared in any case, everything else but subjects exactly.',
          ...{ ...shared, body: AllowedIdentities, response: { 200: restResponse(AllowedIdentities) } },
        },
      },
      async (request) => {
        const { identities: wanted } = request.body;
        const change = await identities.allow(accountOf(request), wanted, principalOf(request));
        return success({ identities: [...change.identities] }, { cutOff: change.cutOff, warnings: change.warnings });
      },
    );
    app.get(
      `${MTLS_PATH}/pinned-certificates`,
      {
        ...read,
        schema: {
          summary: 'Delegates that are pinned to their client certificates',
          ...{ ...shared, response: { 200: restResponse(Type.Array(DelegatePin)) } },
        },
      },
      async (request) => success([...(await identities.pins(accountOf(request)))]),
    );
    app.put(
      `${MTLS_PATH}/delegates/:delegateName/pinned-certificate`,
      {
        ...write,
        schema: {
          summary: 'Accept a delegate with its present client certificate only, or with those that are named',
          params: Delegate,
          ...{
            ...shared,
            body: Type.Union([PinDelegateRequest, Type.Null()]),
            response: { 200: restResponse(DelegatePin) },
          },
        },
      },
      async (request) => {
        const { delegateName } = request.params;
        const fingerprints = request.body?.fingerprints;
        return success(await identities.pin(accountOf(request), delegateName, fingerprints, principalOf(request)));
      },
    );
    app.delete(
      `${MTLS_PATH}/delegates/:delegateName/pinned-certificate`,
      {
        ...write,
        schema: {
          summary: 'Accept a delegate with any client certificate again',
          params: Delegate,
          ...{ ...shared, response: { 200: restResponse(Type.Boolean()) } },
        },
      },
      async (request) => {
        await identities.unpin(accountOf(request), request.params.delegateName, principalOf(request));
        return success(true);
      },
    );
  };
}
