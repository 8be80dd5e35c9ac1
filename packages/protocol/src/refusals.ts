import { type Static, Type } from 'typebox';

/** What a refused connection presented. */
export const PresentedCertificate = Type.Object({
  subject: Type.String(),
  issuer: Type.String(),
  serialNumber: Type.String(),
  /** SHA-256 over the DER, lower-case hex. */
  fingerprint: Type.String(),
  notBefore: Type.Integer(),
  notAfter: Type.Integer(),
});
export type PresentedCertificate = Static<typeof PresentedCertificate>;

/** One refused connection or request, as recorded for the account. */
export const Refusal = Type.Object({
  at: Type.Integer(),
  accountId: Type.Union([Type.String(), Type.Null()]),
  reason: Type.String(),
  message: Type.String(),
  remedy: Type.String(),
  serverName: Type.Union([Type.String(), Type.Null()]),
  remoteAddress: Type.String(),
  certificate: Type.Union([PresentedCertificate, Type.Null()]),
});
export type Refusal = Static<typeof Refusal>;
