import { type Static, type TObject, type TSchema, Type } from 'typebox';

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
