import { type Static, Type } from 'typebox';
import { MOST_STALE_HOURS } from '../revocation.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** PEM text of one or several CRLs. The same can be sent as it is, as application/pkix-crl or application/x-pem-file. */
export const CrlUpload = Type.Object({ crl: Type.String() });
export type CrlUpload = Static<typeof CrlUpload>;

export const CrlState = Type.Union([
  Type.Literal('CURRENT'),
  /** Expired, and used for some hours more. */
  Type.Literal('STALE'),
  /** Expired: the CA's clients are refused. */
  Type.Literal('EXPIRED'),
]);
export type CrlState = Static<typeof CrlState>;

/** What is known of one CA's list; the revoked serial numbers themselves are not shown. */
export const Crl = Type.Object({
  issuer: Type.String(),
  /** SHA-256 over the CA's public key, lower-case hex: what names the list. */
  issuerKey: Type.String(),
  /** Key id that the list carries. */
  issuerKeyId: nullable(Type.String()),
  /** SHA-256 of the CA certificate that the list was verified with. */
  authority: Type.String(),
  /** False when that CA's key is no longer in the endpoint's bundle; the list counts for what the key has signed all the same. */
  inBundle: Type.Boolean(),
  number: nullable(Type.String()),
  thisUpdate: Type.Integer(),
  nextUpdate: Type.Integer(),
  entries: Type.Integer(),
  /** How much of its life has passed, in percent; more than 100 for one that has expired. */
  lifePassed: Type.Integer(),
  state: CrlState,
  /** The list says where it is published, as lists do that are one of several parts. */
  namesDistributionPoint: Type.Boolean(),
  /** From this moment on the CA's clients are refused. */
  usedUntil: Type.Integer(),
  /** SHA-256 over the list. */
  fingerprint: Type.String(),
  uploadedAt: Type.Integer(),
  uploadedBy: Type.String(),
});
export type Crl = Static<typeof Crl>;

export const WhenCrlExpired = Type.Union([Type.Literal('REFUSE'), Type.Literal('USE_STALE')]);
export type WhenCrlExpired = Static<typeof WhenCrlExpired>;

export const CrlPolicy = Type.Object({
  /** REFUSE: the CA's clients are refused from nextUpdate on. USE_STALE: for `staleHours` more they are judged by the old list. */
  whenExpired: WhenCrlExpired,
  /** 0 with REFUSE. */
  staleHours: Type.Integer({ minimum: 0, maximum: MOST_STALE_HOURS }),
});
export type CrlPolicy = Static<typeof CrlPolicy>;

export const CrlPolicyChange = Type.Partial(CrlPolicy);
export type CrlPolicyChange = Static<typeof CrlPolicyChange>;

/** Either `fingerprint`, or `issuer` and `serialNumber`. */
export const DenyCertificateRequest = Type.Object({
  /** SHA-256 of the certificate, hex, with or without colons. */
  fingerprint: Type.Optional(Type.String({ maxLength: 128 })),
  /** Name of the CA in one line, such as `CN=Example CA, O=Example`. */
  issuer: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
  /** Hex, with or without colons. */
  serialNumber: Type.Optional(Type.String({ maxLength: 256 })),
  note: Type.Optional(Type.String({ maxLength: 512 })),
});
export type DenyCertificateRequest = Static<typeof DenyCertificateRequest>;

export const DeniedCertificateEntry = Type.Object({
  uuid: Type.String(),
  fingerprint: nullable(Type.String()),
  issuer: nullable(Type.String()),
  serialNumber: nullable(Type.String()),
  note: Type.String(),
  createdAt: Type.Integer(),
  createdBy: Type.String(),
});
export type DeniedCertificateEntry = Static<typeof DeniedCertificateEntry>;

export const IdentityType = Type.Union([
  Type.Literal('DNS'),
  Type.Literal('URI'),
  Type.Literal('EMAIL'),
  Type.Literal('IP'),
  Type.Literal('SUBJECT'),
  Type.Literal('SPKI_SHA256'),
  Type.Literal('CERTIFICATE_SHA256'),
]);
export type IdentityType = Static<typeof IdentityType>;

/** One identity that a client may have: an entry of its subject alternative name, its whole subject, its key, or itself. */
export const AllowedIdentity = Type.Object({ type: IdentityType, value: Type.String() });
export type AllowedIdentity = Static<typeof AllowedIdentity>;

/** The whole set: what is not in it is taken out. Empty: every certificate of the CAs. */
export const AllowedIdentities = Type.Object({ identities: Type.Array(AllowedIdentity, { maxItems: 1_000 }) });
export type AllowedIdentities = Static<typeof AllowedIdentities>;

/** Without fingerprints, the delegate is pinned to the certificate that it came with last. */
export const PinDelegateRequest = Type.Object({
  /** SHA-256 of the certificates, the next one beside the present one while it is being replaced. */
  fingerprints: Type.Optional(Type.Array(Type.String({ maxLength: 128 }), { minItems: 1, maxItems: 4 })),
});
export type PinDelegateRequest = Static<typeof PinDelegateRequest>;

export const DelegatePin = Type.Object({
  delegateName: Type.String(),
  fingerprints: Type.Array(Type.String()),
  createdAt: Type.Integer(),
  createdBy: Type.String(),
});
export type DelegatePin = Static<typeof DelegatePin>;
