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
  /** What it calls its owner: common names, DNS and URI names, the first few of each. */
  names: Type.Optional(Type.Array(Type.String())),
});
export type PresentedCertificate = Static<typeof PresentedCertificate>;

/** Refused connections and requests of one cause by one client, with what the last of them showed. */
export const Refusal = Type.Object({
  reason: Type.String(),
  message: Type.String(),
  /** The one thing to do. */
  remedy: Type.String(),
  firstSeen: Type.Integer(),
  lastSeen: Type.Integer(),
  count: Type.Integer(),
  serverName: Type.Union([Type.String(), Type.Null()]),
  remoteAddress: Type.String(),
  certificate: Type.Union([PresentedCertificate, Type.Null()]),
});
export type Refusal = Static<typeof Refusal>;
