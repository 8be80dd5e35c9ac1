import { LOG_QUERY, LOG_TOKEN_HEADER } from '@sallyport/protocol';
import type { FastifyRequest } from 'fastify';

const FORM = /^(application\/x-www-form-urlencoded|multipart\/form-data)\b/i;
/** Of a form with a token in it: read before anybody is known, so that it is little. */
const MAX_FORM_BYTES = 65_536;

/**
 * The log token in the form that a request's body is; null when it has one elsewhere, has another body, or its form has
 * none. The body is gone then: whoever sends a token in a form has nothing else in it.
 */
export async function formTokenOf(request: FastifyRequest): Promise<string | null> {
  const { headers, query, raw } = request;
  const type = headers['content-type'] ?? '';
  const elsewhere =
    headers[LOG_TOKEN_HEADER] ?? headers['x-api-key'] ?? (query as Record<string, unknown>)[LOG_QUERY.token];
  if (elsewhere !== undefined || !FORM.test(type)) return null;
  if (Number(headers['content-length'] ?? MAX_FORM_BYTES) > MAX_FORM_BYTES) return null;
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of raw as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_FORM_BYTES) return null;
    parts.push(part);
  }
  try {
    const form = await new Response(Buffer.concat(parts), { headers: { 'content-type': type } }).formData();
    const token = form.get(LOG_QUERY.token);
    return typeof token === 'string' ? token : null;
  } catch {
    // Not the form that it says it is: then it has no token.
    return null;
  }
}
