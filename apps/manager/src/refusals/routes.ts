import { success } from '@sallyport/protocol';
import { Refusal, restResponse } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { accountOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { RefusalRecorder } from './refusal-recorder.ts';
import type { RefusalStore } from './refusal-store.ts';

export function refusalRoutes(store: RefusalStore, recorder: RefusalRecorder): Registration {
  return (app) => {
    app.get(
      '/ng/api/agent/mtls/refusals',
      {
        config: { access: 'account-viewer', denial: 'NG_ACCESS_DENIED' },
        schema: {
          summary: 'Refused connections and requests, newest first, grouped by cause and client',
          tags: ['mTLS endpoint'],
          querystring: Type.Object({
            accountIdentifier: Type.Optional(Type.String()),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
          }),
          response: { 200: restResponse(Type.Array(Refusal)) },
        },
      },
      async (request) => {
        await recorder.flush();
        const groups = await store.ofAccount(accountOf(request), request.query.limit ?? 100);
        return success(groups.map(({ id: _id, accountId: _accountId, ...refusal }) => refusal));
      },
    );
  };
}
