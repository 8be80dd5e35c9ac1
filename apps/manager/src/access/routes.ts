import { success } from '@sallyport/protocol';
import { ApiKey, CreateApiKeyRequest, restResponse } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { ApiKeyService } from './api-key-service.ts';

const Account = Type.Object({ accountIdentifier: Type.Optional(Type.String()) });
const tags = ['api-keys'];

export function apiKeyRoutes(apiKeys: ApiKeyService): Registration {
  return (app) => {
    app.post(
      '/ng/api/api-keys',
      {
        config: { access: 'account-admin', account: 'optional' },
        schema: {
          summary: 'Create an API key of an account, or without accountIdentifier an operator key',
          tags,
          querystring: Account,
          body: CreateApiKeyRequest,
          response: { 200: restResponse(ApiKey) },
        },
      },
      async (request) => success(await apiKeys.create(request.account, request.body, principalOf(request))),
    );
    app.get(
      '/ng/api/api-keys',
      {
        config: { access: 'account-admin', account: 'optional' },
        schema: {
          summary: 'List the API keys of an account, or without accountIdentifier the operator keys',
          tags,
          querystring: Account,
          response: { 200: restResponse(Type.Array(ApiKey)) },
        },
      },
      async (request) => success(await apiKeys.list(request.account)),
    );
    app.get(
      '/ng/api/api-keys/current',
      {
        config: { access: 'any-key' },
        schema: { summary: 'The API key of this request', tags, response: { 200: restResponse(ApiKey) } },
      },
      async (request) => success(await apiKeys.get(principalOf(request).keyId)),
    );
    app.delete(
      '/ng/api/api-keys/:uuid',
      {
        config: { access: 'account-admin', account: 'optional' },
        schema: {
          summary: 'Revoke an API key',
          tags,
          querystring: Account,
          params: Type.Object({ uuid: Type.String({ maxLength: 64 }) }),
          response: { 200: restResponse(ApiKey) },
        },
      },
      async (request) => success(await apiKeys.revoke(request.account, request.params.uuid, principalOf(request))),
    );
  };
}
