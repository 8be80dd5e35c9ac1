import { type Static, Type } from 'typebox';

/** An account id appears in URLs, certificates' evidence and file names: one conservative form. */
export const AccountIdentifier = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });

/** A name for people to read: anything but control characters. */
export const DisplayName = Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });

/** Epoch milliseconds, up to the last moment that a Date can be. */
export const Timestamp = Type.Integer({ minimum: 0, maximum: 8.64e15 });

export const CreateAccountRequest = Type.Object(
  { identifier: AccountIdentifier, name: Type.Optional(DisplayName) },
  { additionalProperties: false },
);
export type CreateAccountRequest = Static<typeof CreateAccountRequest>;

export const Account = Type.Object({
  identifier: Type.String(),
  name: Type.String(),
  status: Type.Literal('ACTIVE'),
  mtlsEnabled: Type.Boolean(),
  createdAt: Type.Integer(),
});
export type Account = Static<typeof Account>;

export const UpdateAccountRequest = Type.Object(
  {
    name: Type.Optional(DisplayName),
    mtlsEnabled: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type UpdateAccountRequest = Static<typeof UpdateAccountRequest>;
