import { type ErrorBody, errorBody, type FieldError, SallyportError } from '@sallyport/protocol';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { DatabaseError, isDatabaseUnavailable, isUnstorableText } from '../database/database-error.ts';
import { explainValidation } from './validation.ts';

const RETRY_AFTER_SECONDS = 2;

/** Answers every thrown error in the one error body. Only our own errors speak; the cause of anything else is logged. */
export function answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { error, fields } = translate(thrown, request);
  if (error.status >= 500) {
    request.log.error(
      { correlationId: request.id, err: thrown, route: request.routeOptions.url },
      `answered ${error.code}`,
    );
  }
  if (error.status === 503 || error.status === 429) reply.header('retry-after', RETRY_AFTER_SECONDS);
  return sendError(reply, error, request.id, fields);
}

export function answerNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split('?', 1)[0]?.slice(0, 200);
  const error = new SallyportError('RESOURCE_NOT_FOUND', `There is no ${request.method} ${path} here.`);
  return sendError(reply, error, request.id);
}

function sendError(
  reply: FastifyReply,
  error: SallyportError,
  correlationId: string,
  fields: readonly FieldError[] = [],
): FastifyReply {
  // Serialized here, because the route's own response schema may know nothing of errors.
  return reply
    .code(error.status)
    .header('x-harness-error', error.code)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .serializer((body: ErrorBody) => JSON.stringify(body))
    .send(errorBody(error, correlationId, fields));
}

/** What was thrown as one of our errors. Only those speak: of anything else the caller learns nothing. */
export function translate(thrown: unknown, request: FastifyRequest): { error: SallyportError; fields?: FieldError[] } {
  if (thrown instanceof SallyportError) return { error: thrown };
  const failure = thrown as Partial<FastifyError>;
  if (failure.validation !== undefined) {
    const fields = explainValidation(failure.validation as never, failure.validationContext ?? 'request');
    const message = fields.map(({ fieldId, error }) => `${fieldId}: ${error}`).join('; ');
    return { error: new SallyportError('INVALID_REQUEST', message), fields };
  }
  if (thrown instanceof DatabaseError || isDatabaseUnavailable(thrown)) {
    return { error: new SallyportError('SERVICE_UNAVAILABLE', 'The control plane cannot reach its database.') };
  }
  if (isUnstorableText(thrown)) {
    return { error: new SallyportError('INVALID_REQUEST', 'A text of the request holds the character U+0000.') };
  }
  if (failure.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const limit = request.routeOptions.bodyLimit;
    return { error: new SallyportError('PAYLOAD_TOO_LARGE', `The body is larger than ${limit} bytes.`) };
  }
  if (failure.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return {
      error: new SallyportError('INVALID_REQUEST', 'The body has to be sent as Content-Type: application/json.'),
    };
  }
  if (typeof failure.statusCode === 'number' && failure.statusCode >= 400 && failure.statusCode < 500) {
    return { error: new SallyportError('INVALID_REQUEST', String(failure.message)) };
  }
  return {
    error: new SallyportError(
      'INTERNAL_SERVER_ERROR',
      `The control plane failed. Its log has the cause under ${request.id}.`,
    ),
  };
}
