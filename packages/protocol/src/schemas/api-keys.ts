import { type Static, Type } from 'typebox';
import { DisplayName, Timestamp } from './accounts.ts';

/**
 * OPERATOR: every account, and what only operators may do (accounts, enabling mTLS).
 * ACCOUNT_ADMIN: everything inside one account. ACCOUNT_VIEWER: reading inside one account, never a secret.
 */
export const ApiKeyRole = Type.Union([
  Type.Literal('OPERATOR'),
  Type.Literal('ACCOUNT_ADMIN'),
  Type.Literal('ACCOUNT_VIEWER'),
]);
export type ApiKeyRole = Static<typeof ApiKeyRole>;

export const CreateApiKeyRequest = Type.Object(
  {
    name: DisplayName,
    role: ApiKeyRole,
    /** Epoch milliseconds; absent means it does not expire. */
    expiresAt: Type.Optional(Timestamp),
  },
  { additionalProperties: false },
);
export type CreateApiKeyRequest = Static<typeof CreateApiKeyRequest>;

export const ApiKey = Type.Object({
  uuid: Type.String(),
  name: Type.String(),
  role: ApiKeyRole,
  accountIdentifier: Type.Union([Type.String(), Type.Null()]),
  status: Type.Union([Type.Literal('ACTIVE'), Type.Literal('REVOKED'), Type.Literal('EXPIRED')]),
  createdAt: Type.Integer(),
  expiresAt: Type.Union([Type.Integer(), Type.Null()]),
  /** The key itself: in the answer to its creation only; the server keeps a hash. */
  key: Type.Optional(Type.String()),
});
export type ApiKey = Static<typeof ApiKey>;
