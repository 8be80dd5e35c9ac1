import { errorBody } from '@sallyport/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { translate } from '../http/error-answers.ts';

const RETRY_AFTER_SECONDS = 2;
const OUR_OWN: ReadonlySet<string> = new Set(['INVALID_REQUEST', 'ENTITY_NOT_FOUND', 'LOG_STREAM_NOT_FOUND']);

/**
 * Errors as clients of the log service read them: `{"error_msg": "..."}`. What is not the log service's own (the second
 * door, the limits, a database that is down) is answered as everywhere, with `error_msg` beside it.
 */
export function answerLogError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { error } = translate(thrown, request);
  if (error.status >= 500 && error.code !== 'LOG_STREAM_NOT_FOUND') {
    request.log.error(
      { correlationId: request.id, err: thrown, route: request.routeOptions.url },
      `answered ${error.code}`,
    );
  }
  if (error.status === 503 || error.status === 429) reply.header('retry-after', RETRY_AFTER_SECONDS);
  const own = { error_msg: error.message };
  return reply
    .code(error.status)
    .header('x-harness-error', error.code)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .serializer((body: object) => JSON.stringify(body))
    .send(OUR_OWN.has(error.code) ? own : { ...errorBody(error, request.id), ...own });
}
