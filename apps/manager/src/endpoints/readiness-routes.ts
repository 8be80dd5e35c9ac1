import { DEFAULT_NOT_SEEN_DAYS, success } from '@sallyport/protocol';
import { Readiness, restResponse } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { accountOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import { MTLS_PATH, MTLS_QUERY, MTLS_TAGS, MTLS_VIEWER, refuseProjects } from './mtls-route.ts';
import type { ReadinessService } from './readiness-service.ts';
import { NotSeenForDays } from './safety.ts';

export function readinessRoutes(readiness: ReadinessService): Registration {
  return (app) => {
    app.get(
      `${MTLS_PATH}/readiness`,
      {
        config: MTLS_VIEWER,
        preHandler: refuseProjects,
        schema: {
          summary: 'Who would be cut off by STRICT, and what to do about each delegate',
          tags: MTLS_TAGS,
          querystring: Type.Object({ ...MTLS_QUERY, notSeenForDays: NotSeenForDays }),
          response: { 200: restResponse(Readiness) },
        },
      },
      async (request) => {
        const { notSeenForDays = DEFAULT_NOT_SEEN_DAYS } = request.query;
        return success(await readiness.of(accountOf(request), notSeenForDays));
      },
    );
  };
}
