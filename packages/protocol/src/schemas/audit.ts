import { type Static, Type } from 'typebox';

/** Who did what to what, and when. Never holds a secret or a key. */
export const AuditEvent = Type.Object({
  uuid: Type.String(),
  accountIdentifier: Type.Union([Type.String(), Type.Null()]),
  at: Type.Integer(),
  /** Kind, name and id of the API key; `system` for what the control plane did by itself. */
  actor: Type.String(),
  /** `endpoint.created`, `delegate-token.revoked`, ... */
  action: Type.String(),
  /** Id or name of what it was done to. */
  subject: Type.String(),
  details: Type.Record(Type.String(), Type.Unknown()),
});
export type AuditEvent = Static<typeof AuditEvent>;
