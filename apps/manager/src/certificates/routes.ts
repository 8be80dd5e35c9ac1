import { success } from '@sallyport/protocol';
import { ClientCertificate, restResponse } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { MTLS_PATH, MTLS_QUERY, MTLS_TAGS, MTLS_VIEWER, refuseProjects } from '../endpoints/mtls-route.ts';
import { accountOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { CertificateService } from './certificate-service.ts';

const DEFAULT_LIMIT = 1_000;

export function certificateRoutes(certificates: CertificateService): Registration {
  return (app) => {
    app.get(
      `${MTLS_PATH}/certificates`,
      {
        config: MTLS_VIEWER,
        preHandler: refuseProjects,
        schema: {
          summary: 'Client certificates that delegates came with, the ones that end first, first',
          description: 'metaData.total counts those beyond the limit, too.',
          tags: MTLS_TAGS,
          querystring: Type.Object({
            ...MTLS_QUERY,
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5_000, default: DEFAULT_LIMIT })),
            withinDays: Type.Optional(
              Type.Integer({ minimum: 0, maximum: 36_500, description: 'Only those that end within so many days' }),
            ),
          }),
          response: { 200: restResponse(Type.Array(ClientCertificate)) },
        },
      },
      async (request) => {
        const { limit = DEFAULT_LIMIT, withinDays = null } = request.query;
        const list = await certificates.list(accountOf(request), limit, withinDays);
        return success([...list.certificates], { total: list.total });
      },
    );
  };
}
