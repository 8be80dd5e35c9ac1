import { success } from '@sallyport/protocol';
import { DelegateTokenDetails, restResponse, Timestamp, TokenStatus } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import { DelegateGroupDetails } from './delegate-groups.ts';
import { TOKEN_SCOPE, tokenScopeOf } from './token-scope.ts';
import type { TokenService } from './token-service.ts';

const path = '/ng/api/delegate-token-ng';
const tags = ['delegate-tokens'];

const Name = Type.String({ maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });
const Named = Type.Object({ ...TOKEN_SCOPE, tokenName: Name });

export function tokenRoutes(tokens: TokenService): Registration {
  return (app) => {
    app.post(
      path,
      {
        config: { access: 'account-admin' },
        schema: {
          summary: 'Create a delegate token; the answer holds its value',
          tags,
          querystring: Type.Object({
            ...Named.properties,
            revokeAfter: Type.Optional(Timestamp),
          }),
          response: { 200: restResponse(DelegateTokenDetails) },
        },
      },
      async (request) => {
        const { tokenName, revokeAfter = null } = request.query;
        return success(await tokens.create(tokenScopeOf(request), tokenName, revokeAfter, principalOf(request)));
      },
    );
    app.put(
      path,
      {
        config: { access: 'account-admin' },
        schema: {
          summary: 'Revoke a delegate token: its delegates are told to stop',
          tags,
          querystring: Named,
          response: { 200: restResponse(DelegateTokenDetails) },
        },
      },
      async (request) =>
        success(await tokens.revoke(tokenScopeOf(request), request.query.tokenName, principalOf(request))),
    );
    app.get(
      path,
      {
        config: { access: 'account-viewer' },
        schema: {
          summary: 'List delegate tokens; their values only for callers who may edit',
          tags,
          querystring: Type.Object({ ...TOKEN_SCOPE, name: Type.Optional(Name), status: Type.Optional(TokenStatus) }),
          response: { 200: restResponse(Type.Array(DelegateTokenDetails)) },
        },
      },
      async (request) => {
        const { name, status } = request.query;
        const filter = { ...(name !== undefined && name !== '' && { name }), ...(status !== undefined && { status }) };
        return success(await tokens.list(tokenScopeOf(request), filter, principalOf(request)));
      },
    );
    app.delete(
      path,
      {
        config: { access: 'account-admin' },
        schema: {
          summary: 'Delete a revoked delegate token, which sets its name free',
          tags,
          querystring: Named,
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        await tokens.delete(tokenScopeOf(request), request.query.tokenName, principalOf(request));
        return reply.code(204).send(null);
      },
    );
    app.get(
      `${path}/delegate-groups`,
      {
        config: { access: 'account-viewer' },
        schema: {
          summary: 'The delegates that use a token, or any token when none is named',
          tags,
          querystring: Type.Object({ ...TOKEN_SCOPE, delegateTokenName: Type.Optional(Name) }),
          response: { 200: restResponse(Type.Object({ delegateGroupDetails: Type.Array(DelegateGroupDetails) })) },
        },
      },
      async (request) => {
        const token = request.query.delegateTokenName || null;
        return success({ delegateGroupDetails: await tokens.delegateGroups(tokenScopeOf(request), token) });
      },
    );
  };
}
