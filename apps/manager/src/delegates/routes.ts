import { success } from '@sallyport/protocol';
import { DelegateFilter, DelegateListing, restResponse } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { accountOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { DelegateService } from './delegate-service.ts';

const tags = ['delegates'];
const Scope = {
  accountIdentifier: Type.Optional(Type.String()),
  orgIdentifier: Type.Optional(Type.String()),
  projectIdentifier: Type.Optional(Type.String()),
};

export function delegateRoutes(delegates: DelegateService): Registration {
  return (app) => {
    app.post(
      '/ng/api/delegate-setup/listDelegates',
      {
        config: { access: 'account-viewer' },
        schema: {
          summary: 'Delegates of the account, with how and as whom they are connected',
          tags,
          querystring: Type.Object({ ...Scope, all: Type.Optional(Type.Boolean()) }),
          body: Type.Union([DelegateFilter, Type.Null()]),
          response: { 200: restResponse(Type.Array(DelegateListing)) },
        },
      },
      async (request) => success(await delegates.list(accountOf(request), request.body ?? {})),
    );
    app.delete(
      '/ng/api/delegate-setup/delegate/:delegateIdentifier',
      {
        config: { access: 'account-admin' },
        schema: {
          summary: 'Forget a delegate; one that still runs and has a valid token registers again',
          tags,
          params: Type.Object({ delegateIdentifier: Type.String({ maxLength: 128 }) }),
          querystring: Type.Object(Scope),
          response: { 200: restResponse(Type.Object({ responseMsg: Type.String() })) },
        },
      },
      async (request) => {
        await delegates.delete(accountOf(request), request.params.delegateIdentifier);
        return success({ responseMsg: 'Successfully deleted delegate.' });
      },
    );
  };
}
