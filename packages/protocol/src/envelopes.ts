import { type Static, type TObject, type TSchema, Type } from 'typebox';
import type { SallyportError } from './errors.ts';

/** One line of an answer's `responseMessages` (the RestResponse envelope that existing clients read). */
export const ResponseMessage = Type.Object({
  code: Type.String(),
  level: Type.Union([Type.Literal('INFO'), Type.Literal('WARN'), Type.Literal('ERROR')]),
  message: Type.String(),
  exception: Type.Null(),
  failureTypes: Type.Array(Type.String()),
  additionalInfo: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
export type ResponseMessage = Static<typeof ResponseMessage>;

const MetaData = Type.Record(Type.String(), Type.Unknown());

/** The success envelope: `{ metaData, resource, responseMessages: [] }`. */
export const restResponse = <T extends TSchema>(resource: T) =>
  Type.Object({ metaData: MetaData, resource, responseMessages: Type.Array(ResponseMessage) });

/** The success envelope with the resource's fields repeated at top level, as `hybrid()` makes it. */
export const hybridResponse = <P extends Record<string, TSchema>>(resource: TObject<P>) =>
  Type.Object({
    ...resource.properties,
    metaData: MetaData,
    resource: resource as TObject<P>,
    responseMessages: Type.Array(ResponseMessage),
  });

/**
 * The error body. It satisfies the three readers in use: RestResponse (`resource: null`, `responseMessages`), the NG
 * `Error` (`status: "ERROR"`, `code`, `message`, `correlationId`) and the NG `Failure` (`status: "FAILURE"`, `errors`).
 */
export const ErrorBody = Type.Object({
  status: Type.Union([Type.Literal('ERROR'), Type.Literal('FAILURE')]),
  code: Type.String(),
  message: Type.String(),
  remedy: Type.String(),
  correlationId: Type.String(),
  detailedMessage: Type.Null(),
  errors: Type.Array(Type.Object({ fieldId: Type.String(), error: Type.String() })),
  metaData: MetaData,
  resource: Type.Null(),
  responseMessages: Type.Array(ResponseMessage),
});
export type ErrorBody = Static<typeof ErrorBody>;

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
