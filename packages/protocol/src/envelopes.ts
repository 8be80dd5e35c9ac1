import type { SallyportError } from './errors.ts';
import type { ErrorBody, ResponseMessage } from './schemas/envelopes.ts';

export interface RestResponseBody<T> {
  metaData: Record<string, unknown>;
  resource: T;
  responseMessages: ResponseMessage[];
}

export function success<T>(resource: T, metaData: Record<string, unknown> = {}): RestResponseBody<T> {
  return { metaData, resource, responseMessages: [] };
}

/** Wrapped, with the resource's fields repeated at top level: satisfies clients of both body shapes in use. */
export function hybrid<T extends object>(resource: T, metaData: Record<string, unknown> = {}): RestResponseBody<T> & T {
  return { ...resource, ...success(resource, metaData) };
}

export interface FieldError {
  readonly fieldId: string;
  readonly error: string;
}

export function errorBody(error: SallyportError, correlationId: string, errors: readonly FieldError[] = []): ErrorBody {
  const additionalInfo = { remedy: error.remedy, ...error.details };
  return {
    status: errors.length > 0 ? 'FAILURE' : 'ERROR',
    code: error.code,
    message: error.message,
    remedy: error.remedy,
    correlationId,
    detailedMessage: null,
    errors: [...errors],
    metaData: {},
    resource: null,
    responseMessages: [
      { code: error.code, level: 'ERROR', message: error.message, exception: null, failureTypes: [], additionalInfo },
    ],
  };
}
