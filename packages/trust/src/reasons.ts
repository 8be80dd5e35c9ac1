/**
 * Why a connection or a request is refused: a closed set. The names travel to delegates, logs, metrics and people's
 * scripts, so a name never changes its meaning.
 */
export const RefusalReason = {
  /** The client sent no certificate. */
  NO_CLIENT_CERTIFICATE: 'NO_CLIENT_CERTIFICATE',
  /** The client's certificate, or one on its path, is past its last day. */
  CLIENT_CERTIFICATE_EXPIRED: 'CLIENT_CERTIFICATE_EXPIRED',
  /** The client's certificate, or one on its path, starts in the future: usually a clock that is wrong. */
  CLIENT_CERTIFICATE_NOT_YET_VALID: 'CLIENT_CERTIFICATE_NOT_YET_VALID',
  /** No CA of the endpoint's bundle issued the certificate. */
  UNKNOWN_ISSUER: 'UNKNOWN_ISSUER',
  /** The certificate comes from below a CA of the bundle, but the client did not send what lies between. */
  INTERMEDIATE_MISSING: 'INTERMEDIATE_MISSING',
  /** The certificate is not for TLS clients, or a certificate that is no CA issued it. */
  WRONG_PURPOSE: 'WRONG_PURPOSE',
  /** A CA certificate was presented as if it were a client's own. */
  CA_AS_LEAF: 'CA_AS_LEAF',
  /** No endpoint has the server name that the client asked for, or it asked for none. */
  UNKNOWN_ENDPOINT: 'UNKNOWN_ENDPOINT',
  /** The connection was admitted for one endpoint and used for an account that it does not belong to. */
  AUTHORITY_MISMATCH: 'AUTHORITY_MISMATCH',
  /** A delegate without mTLS, of an account whose endpoint is STRICT. */
  MTLS_REQUIRED: 'MTLS_REQUIRED',
  /** The CA's CRL lists the certificate, or a CA certificate above it. */
  CERTIFICATE_REVOKED: 'CERTIFICATE_REVOKED',
  /** The CA's CRL has expired, so that nobody can tell whether the certificate is revoked. */
  CRL_EXPIRED: 'CRL_EXPIRED',
  /** The account denies the certificate, or a CA certificate above it. */
  CERTIFICATE_DENIED: 'CERTIFICATE_DENIED',
  /** The account admits certain identities only, or pins the delegate to another certificate. */
  IDENTITY_NOT_ALLOWED: 'IDENTITY_NOT_ALLOWED',
  /** The certificate was refused for another cause: OpenSSL's, named by its code, or a path that can't be told. */
  CLIENT_CERTIFICATE_REJECTED: 'CLIENT_CERTIFICATE_REJECTED',
} as const;

export type RefusalReason = (typeof RefusalReason)[keyof typeof RefusalReason];

/** A refusal as a value: what is wrong (one sentence, with the value), the one thing to do, and what was seen. */
export interface Refusal<Evidence> {
  readonly admitted: false;
  readonly reason: RefusalReason;
  readonly message: string;
  readonly remedy: string;
  readonly evidence: Evidence;
}
