import { ManagerError, TransportError } from './errors.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** The JSON of a successful answer; null for an empty body. Throws TransportError for anything else. */
export function readJson(answer: RawAnswer, target: string): unknown {
  if (answer.text === '') return null;
  try {
    return JSON.parse(answer.text);
  } catch (error) {
    throw unexpected(answer, target, error);
  }
}

/** What an answer outside 2xx means: the manager's own words, or that something else answered in its place. */
export function readFailure(answer: RawAnswer, target: string): ManagerError | TransportError {
  const fields = errorFields(answer.text);
  if (fields === null) return unexpected(answer, target);
  const seconds = Number(first(answer.headers['retry-after']));
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
  return new ManagerError({ ...fields, status: answer.status, retryAfterMs });
}

/** The log service's errors carry a text and no code. */
export const LOG_SERVICE_ERROR = 'LOG_SERVICE_ERROR';

interface ErrorFields {
  readonly code: string;
  readonly message: string;
  readonly remedy: string | undefined;
  readonly correlationId: string | undefined;
}

/**
 * The manager's ErrorBody, the older RestResponse form whose last response message holds code and text, or the one text of
 * the log service.
 */
function errorFields(text: string): ErrorFields | null {
  const body = asRecord(parseOrNull(text));
  if (body === null) return null;
  const messages: readonly unknown[] = Array.isArray(body['responseMessages']) ? body['responseMessages'] : [];
  const last = asRecord(messages.at(-1)) ?? {};
  const code = textOf(body['code']) ?? textOf(last['code']);
  const message = textOf(body['message']) ?? textOf(last['message']);
  const logService = textOf(body['error_msg']);
  if (logService !== undefined && (code === undefined || message === undefined)) {
    return { code: LOG_SERVICE_ERROR, message: logService, remedy: undefined, correlationId: undefined };
  }
  if (code === undefined || message === undefined) return null;
  return { code, message, remedy: textOf(body['remedy']), correlationId: textOf(body['correlationId']) };
}

function unexpected(answer: RawAnswer, target: string, cause?: unknown): TransportError {
  const type = first(answer.headers['content-type']) ?? 'no content type';
  const location = answer.status >= 300 && answer.status < 400 ? first(answer.headers['location']) : undefined;
  const towards = location === undefined ? '' : ` and a redirect to ${originOf(location)}, which is not followed`;
  return new TransportError(
    'UNEXPECTED_ANSWER',
    `${target} answered ${answer.status} (${type})${towards}, which is not an answer of a Sallyport manager.`,
    'Check the address; a proxy or load balancer in between may be answering by itself.',
    cause,
  );
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function asRecord(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** Without path and query: those may hold what the other side thinks is a secret. */
function originOf(location: string): string {
  return URL.parse(location)?.origin ?? 'a relative path';
}
