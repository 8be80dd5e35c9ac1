import { SallyportError, success } from '@sallyport/protocol';
import { Account, CreateAccountRequest, restResponse, UpdateAccountRequest } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { accountOf, principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { AccountService } from './account-service.ts';
import type { AccountStore } from './account-store.ts';

const Params = Type.Object({ accountIdentifier: Type.String() });
const tags = ['accounts'];

export function accountRoutes(service: AccountService): Registration {
  return (app) => {
    app.post(
      '/ng/api/accounts',
      {
        config: { access: 'operator' },
        schema: {
          summary: 'Create an account, with its first delegate token',
          tags,
          body: CreateAccountRequest,
          response: { 200: restResponse(Account) },
        },
      },
      async (request) => success(await service.create(request.body, principalOf(request))),
    );
    app.get(
      '/ng/api/accounts',
      {
        config: { access: 'operator' },
        schema: { summary: 'List all accounts', tags, response: { 200: restResponse(Type.Array(Account)) } },
      },
      async () => success(await service.list()),
    );
    app.get(
      '/ng/api/accounts/:accountIdentifier',
      {
        config: { access: 'account-viewer' },
        schema: { summary: 'One account', tags, params: Params, response: { 200: restResponse(Account) } },
      },
      async (request) => success(await service.get(accountOf(request))),
    );
    app.patch(
      '/ng/api/accounts/:accountIdentifier',
      {
        config: { access: 'operator' },
        schema: {
          summary: 'Rename an account, or enable mTLS for it',
          tags,
          params: Params,
          body: UpdateAccountRequest,
          response: { 200: restResponse(Account) },
        },
      },
      async (request) => success(await service.update(accountOf(request), request.body, principalOf(request))),
    );
    app.delete(
      '/ng/api/accounts/:accountIdentifier',
      {
        config: { access: 'operator' },
        schema: {
          summary: 'Delete an account with its endpoint, tokens, delegates, tasks and keys',
          tags,
          params: Params,
          response: { 200: restResponse(Type.Boolean()) },
        },
      },
      async (request) => {
        await service.delete(accountOf(request), principalOf(request));
        return success(true);
      },
    );
  };
}

/**
 * What start scripts of delegates ask before anything else, without a key or a certificate: 401 ends the
 * delegate with "unknown account". So whoever guesses an identifier learns that it exists. It is no secret (manifests
 * carry it); where customers' names are confidential, choose identifiers that do not tell them.
 */
export function accountStatusRoute(accounts: AccountStore): Registration {
  return (app) => {
    app.get(
      '/api/account/:accountIdentifier/status',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Whether the account is active, for the start scripts of delegates',
          tags: ['agent'],
          params: Params,
          response: { 200: restResponse(Type.Literal('ACTIVE')) },
        },
      },
      async (request) => {
        const { accountIdentifier } = request.params;
        if (/^[A-Za-z0-9_-]{1,64}$/.test(accountIdentifier) && (await accounts.exists(accountIdentifier))) {
          return success('ACTIVE' as const);
        }
        throw new SallyportError(
          'ACCOUNT_DOES_NOT_EXIST',
          `Account '${accountIdentifier.slice(0, 80)}' does not exist.`,
        );
      },
    );
  };
}
