import { type Static, Type } from 'typebox';

/** A delegate, by name, whose verified chain ended at a CA. */
export const AuthorityUser = Type.Object({
  name: Type.String(),
  /** An instance of it is connected under this CA. */
  connected: Type.Boolean(),
  lastUsed: Type.Integer(),
});
export type AuthorityUser = Static<typeof AuthorityUser>;

/** An instance of a delegate whose last verified chain ended at a CA: without it, that chain does not verify. */
export const AuthorityDependant = Type.Object({
  delegateId: Type.String(),
  name: Type.String(),
  hostName: Type.String(),
  connected: Type.Boolean(),
  lastUsed: Type.Integer(),
});
export type AuthorityDependant = Static<typeof AuthorityDependant>;

/** One CA of an endpoint's bundle. */
export const AuthorityDetails = Type.Object({
  /** SHA-256 over the certificate, lower-case hex. */
  fingerprint: Type.String(),
  subject: Type.String(),
  issuer: Type.String(),
  serialNumber: Type.String(),
  notBefore: Type.Integer(),
  notAfter: Type.Integer(),
  /** `RSA 2048`, `EC P-256`, ... */
  keyAlgorithm: Type.String(),
  selfSigned: Type.Boolean(),
  /** In date: it can verify clients now. */
  inDate: Type.Boolean(),
  /** Whose chain ended at it within the days that were asked about. */
  usedBy: Type.Array(AuthorityUser),
  neededBy: Type.Array(AuthorityDependant),
  safeToRemove: Type.Boolean(),
  /** Since when; null when it is not safe, or when no delegate is known to have used it. */
  safeSince: Type.Union([Type.Integer(), Type.Null()]),
  /** The same in one line for people. */
  advice: Type.String(),
});
export type AuthorityDetails = Static<typeof AuthorityDetails>;

export const AddAuthoritiesRequest = Type.Object({
  /** PEM text of one or more CA certificates; those that the bundle has already are passed over. */
  caCertificates: Type.String({ minLength: 1 }),
});
export type AddAuthoritiesRequest = Static<typeof AddAuthoritiesRequest>;
