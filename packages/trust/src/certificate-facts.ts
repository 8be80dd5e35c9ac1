import type { NameAttribute } from './distinguished-name.ts';
import type { SubjectAlternativeName } from './general-name.ts';

/** Bits of the key usage extension (RFC 5280 4.2.1.3), in the order of their bits. */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;

export type KeyUsage = (typeof KEY_USAGES)[number];

export const Purpose = {
  SERVER_AUTH: '1.3.6.1.5.5.7.3.1',
  CLIENT_AUTH: '1.3.6.1.5.5.7.3.2',
  ANY: '2.5.29.37.0',
} as const;

export interface AuthorityKeyIdentifier {
  /** Lower-case hex, null when the extension names the issuer only. */
  readonly keyId: string | null;
  /** One-line names of the issuer's own issuer; empty when the extension carries none. */
  readonly issuerNames: readonly string[];
  /** The issuer's serial number, upper-case hex. */
  readonly serialNumber: string | null;
}

/**
 * What one certificate says about itself. Nothing here is verified: no signature, no path, no date. It explains and
 * pins; trust comes from OpenSSL's verification alone.
 */
export interface CertificateFacts {
  /** 1 or 3 in practice. */
  readonly version: number;
  /** One line, escaped after RFC 4514: `CN=Client, O=Example ORG`. Empty for an empty name. */
  readonly subject: string;
  readonly subjectAttributes: readonly NameAttribute[];
  readonly issuer: string;
  readonly issuerAttributes: readonly NameAttribute[];
  /** Upper-case hex, two digits a byte, without leading zero bytes; `0` for zero. As node:crypto has it. */
  readonly serialNumber: string;
  /** SHA-256 over the DER, lower-case hex without colons. */
  readonly fingerprint256: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** True when OpenSSL takes it for an issuer: basicConstraints, else an X.509 v1 root, else keyCertSign. */
  readonly isCa: boolean;
  /** basicConstraints' pathLenConstraint. */
  readonly pathLength: number | null;
  /** Null when the extension is absent: then every use is allowed. */
  readonly keyUsage: readonly KeyUsage[] | null;
  /** Extended key usage OIDs; null when the extension is absent: then every purpose is allowed. */
  readonly purposes: readonly string[] | null;
  readonly sans: readonly SubjectAlternativeName[];
  /** A CA that may issue for some names only (RFC 5280 4.2.1.10). Which ones is OpenSSL's to judge. */
  readonly hasNameConstraints: boolean;
  /** Subject and issuer are the same name, and the key ids do not contradict it. The signature is not checked. */
  readonly selfSigned: boolean;
  /** `RSA 2048`, `EC P-256`, `Ed25519`, ... or a dotted OID. */
  readonly keyAlgorithm: string;
  /** `RSA SHA-256`, `ECDSA SHA-256`, ... or a dotted OID. */
  readonly signatureAlgorithm: string;
  readonly subjectKeyId: string | null;
  readonly authorityKeyId: AuthorityKeyIdentifier | null;
  /** The SubjectPublicKeyInfo, lower-case hex: equal for equal keys. */
  readonly publicKey: string;
  /** Critical extensions that TLS verification does not know, as OIDs. */
  readonly unknownCriticalExtensions: readonly string[];
  /** What in the bytes is not DER as RFC 5280 wants it; the other fields are then a best effort. Null when all is well. */
  readonly malformed: string | null;
}
