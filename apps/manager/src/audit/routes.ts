import { success } from '@sallyport/protocol';
import { AuditEvent, restResponse } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import type { AccountStore } from '../accounts/account-store.ts';
import { principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { AuditStore } from './audit-store.ts';

export function auditRoutes(audit: AuditStore, accounts: AccountStore): Registration {
  return (app) => {
    app.get(
      '/ng/api/audit',
      {
        config: { access: 'account-admin', account: 'optional' },
        schema: {
          summary: 'Who changed what, newest first; operators leave the account out to see everything',
          tags: ['audit'],
          querystring: Type.Object({
            accountIdentifier: Type.Optional(Type.String()),
            limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
            before: Type.Optional(
              Type.String({ maxLength: 64, description: 'uuid of the last event of the page before' }),
            ),
          }),
          response: { 200: restResponse(Type.Array(AuditEvent)) },
        },
      },
      async (request) => {
        const { limit, before } = request.query;
        const accountId = request.account;
        const query = { accountId, limit, ...(before !== undefined && { before }) };
        // An identifier may be given out again: who has it now does not see what was done to its former owner.
        const since = principalOf(request).kind === 'operator' || accountId === null ? 0 : await created(accountId);
        return success(await audit.list({ ...query, since }));
      },
    );
  };

  async function created(accountId: string): Promise<number> {
    return (await accounts.get(accountId))?.createdAt ?? Number.MAX_SAFE_INTEGER;
  }
}
