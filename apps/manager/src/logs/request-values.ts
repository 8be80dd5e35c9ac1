import { Readable } from 'node:stream';
import { LOG_QUERY, LOG_SERVICE, logErrors, SallyportError } from '@sallyport/protocol';
import type { FastifyRequest } from 'fastify';
import { admitKey, type LogCaller, type LogRequest } from './log-authentication.ts';
import { type LogKey, logKeyOf } from './log-key.ts';

declare module 'fastify' {
  interface FastifyRequest {
    logCaller: LogCaller | null;
  }
}

/** Below the service: where links lead to. Ours; clients take them as they are. */
export const LINKED_BLOB = '/blob/link/content';
export const LINKED_ARCHIVE = '/blob/link/archive';

/** The caller that the route's guard let through. Throws when it has none: a mistake of ours. */
export function logCallerOf(request: FastifyRequest): LogCaller {
  if (request.logCaller === null) throw new Error(`${request.routeOptions.url} has no log guard`);
  return request.logCaller;
}

export function logRequestOf(request: FastifyRequest, formToken: string | null = null): LogRequest {
  return {
    socket: request.raw.socket,
    headers: request.headers,
    query: request.query as Readonly<Record<string, unknown>>,
    formToken,
  };
}

/** The key that the request names, which the caller may use. Throws INVALID_REQUEST. */
export function keyOf(request: FastifyRequest): LogKey {
  const { key } = request.query as { key?: unknown };
  if (typeof key !== 'string' || key === '') throw new SallyportError('INVALID_REQUEST', logErrors.noKey);
  admitKey(logCallerOf(request), key);
  refuseBrokenEscapes(request, LOG_QUERY.key);
  return logKeyOf(key);
}

/** A key that stands for all that start with it: which of them the caller may use is looked at one by one. */
export function prefixOf(request: FastifyRequest): LogKey {
  const { key } = request.query as { key?: unknown };
  if (typeof key !== 'string' || key === '') throw new SallyportError('INVALID_REQUEST', logErrors.noKey);
  refuseBrokenEscapes(request, LOG_QUERY.key);
  return logKeyOf(key);
}

/**
 * Throws INVALID_REQUEST for a value like `50%` or `%ff`. Read as it stands, it would be the same key as the one that is
 * written `50%25` or `%25ff`: two writers who mean different logs would share one.
 */
export function refuseBrokenEscapes(request: FastifyRequest, name: string): void {
  const [, query = ''] = request.originalUrl.split(/\?(.*)/s);
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || unescaped(pair.slice(0, equals)) !== name) continue;
    const value = pair.slice(equals + 1);
    try {
      decodeURIComponent(value);
    } catch {
      throw new SallyportError(
        'INVALID_REQUEST',
        `the ${name} in the URL is '${value.slice(0, 200)}', which is not percent-encoded UTF-8: write a % as %25`,
      );
    }
  }
}

/** A parameter's name may be escaped too (`%6bey`): to who reads the query it is the same one. */
function unescaped(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** The body, unread: routes of the log service take any content type, as their clients send what they like. */
export function bodyOf(request: FastifyRequest): Readable {
  return request.body instanceof Readable ? request.body : Readable.from([]);
}

/** The whole body. Throws PAYLOAD_TOO_LARGE. */
export async function readBody(request: FastifyRequest, limit: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of bodyOf(request) as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limit) throw new SallyportError('PAYLOAD_TOO_LARGE', `The body is larger than ${limit} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Where the service is for this client: the name that it called, which its connection was made for. */
export function serviceUrl(request: FastifyRequest): string {
  const gateway = request.originalUrl.startsWith('/gateway/') ? '/gateway' : '';
  return `https://${request.host}${gateway}${LOG_SERVICE}`;
}
