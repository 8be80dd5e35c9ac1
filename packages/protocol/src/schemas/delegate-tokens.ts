import { type Static, Type } from 'typebox';

export const TokenStatus = Type.Union([Type.Literal('ACTIVE'), Type.Literal('REVOKED')]);
export type TokenStatus = Static<typeof TokenStatus>;

export const DelegateTokenDetails = Type.Object({
  uuid: Type.String(),
  accountId: Type.String(),
  name: Type.String(),
  createdByNgUser: Type.Union([
    Type.Null(),
    Type.Object({ type: Type.String(), name: Type.String(), jwtclaims: Type.Record(Type.String(), Type.String()) }),
  ]),
  createdAt: Type.Integer(),
  status: TokenStatus,
  /** base64 of the 32-hex-character secret; on creation, and in lists for callers who may edit. */
  value: Type.Optional(Type.String()),
  ownerIdentifier: Type.Optional(Type.String()),
  revokeAfter: Type.Optional(Type.Integer()),
});
export type DelegateTokenDetails = Static<typeof DelegateTokenDetails>;
