/**
 * The ledger of error codes: every code a caller can see, its HTTP status, what causes it and what to do.
 * `docs/errors.md` is checked against it in both directions. A retired code is never given a new meaning.
 * Codes that existing clients know keep their names and statuses.
 */
export const ERROR_LEDGER = {
  INVALID_REQUEST: {
    status: 400,
    cause: 'The request is malformed or breaks a rule that the message names.',
    remedy: 'Correct the value that the message names and send the request again.',
  },
  INVALID_CA_BUNDLE: {
    status: 400,
    cause:
      'The CA certificates of an mTLS endpoint cannot be used: not PEM, no CA among them, a private key, all expired, too many or too large.',
    remedy: 'Send the PEM text of your CA certificate (ca.crt), certificates only.',
  },
  INVALID_CRL: {
    status: 400,
    cause:
      "A certificate revocation list cannot be used: not a CRL, not signed by a CA of the endpoint's bundle, a delta, indirect or partial list, expired, or without the date of the next one.",
    remedy: 'Send the complete CRL that the CA publishes for itself, PEM or DER.',
  },
  INVALID_TOKEN: {
    status: 401,
    cause: 'The API key or delegate token is missing, malformed, unknown, or belongs to another account.',
    remedy: 'Check the x-api-key header or DELEGATE_TOKEN, and that it belongs to this account.',
  },
  EXPIRED_TOKEN: {
    status: 401,
    cause: 'The API key, or the JWE that a delegate made from its token, is past its expiry.',
    remedy: 'Create a new key; for a delegate check that its clock is right.',
  },
  REVOKED_TOKEN: {
    status: 401,
    cause: 'The delegate token or API key was revoked.',
    remedy: 'Give the delegate a token that is active.',
  },
  ACCOUNT_DOES_NOT_EXIST: {
    status: 401,
    cause: 'No account has the identifier that the path names. Asked before a delegate starts, by its start script.',
    remedy: 'Check ACCOUNT_ID.',
  },
  INVALID_AGENT_MTLS_AUTHORITY: {
    status: 401,
    cause:
      'The way the delegate connected does not fit its account: a plain connection while the endpoint is STRICT, or the endpoint of another account.',
    remedy: "Connect through the account's own mTLS endpoint with a client certificate that its CA issued.",
  },
  NO_CLIENT_CERTIFICATE: {
    status: 401,
    cause: 'The connection to an mTLS endpoint presented no client certificate.',
    remedy:
      'Set DELEGATE_CLIENT_CERTIFICATE_PATH and DELEGATE_CLIENT_CERTIFICATE_KEY_PATH, or use the public address while the endpoint is LOOSE.',
  },
  CLIENT_CERTIFICATE_EXPIRED: {
    status: 401,
    cause: 'The client certificate, or a CA certificate above it, is past its validity.',
    remedy: 'Issue a new certificate and replace the file; the delegate picks it up without a restart.',
  },
  CLIENT_CERTIFICATE_NOT_YET_VALID: {
    status: 401,
    cause: 'The validity of the client certificate, or of a CA certificate above it, begins in the future.',
    remedy: 'Check the clock of the machine that issued it and of the control plane.',
  },
  UNKNOWN_ISSUER: {
    status: 401,
    cause: "The client certificate was not issued by a CA of the endpoint's bundle.",
    remedy: 'Use a certificate that the uploaded CA issued, or add its issuer to the bundle.',
  },
  INTERMEDIATE_MISSING: {
    status: 401,
    cause: 'The client sent its certificate without the intermediate that issued it.',
    remedy: 'Append the intermediate certificate to client.crt, below the client certificate.',
  },
  WRONG_PURPOSE: {
    status: 401,
    cause: 'The certificate is not meant for client authentication, or was issued by a certificate that is not a CA.',
    remedy: 'Issue a certificate with the extended key usage clientAuth from a real CA certificate.',
  },
  CA_AS_LEAF: {
    status: 401,
    cause: 'A CA certificate was presented as the client certificate.',
    remedy:
      'Issue a client certificate from the CA and give that one to the delegate; keep ca.key away from delegates.',
  },
  UNKNOWN_ENDPOINT: {
    status: 421,
    cause: 'The connection asked for a name that no mTLS endpoint has.',
    remedy: 'Check MANAGER_HOST_AND_PORT: the host must be the fqdn of the endpoint.',
  },
  CLIENT_CERTIFICATE_REJECTED: {
    status: 401,
    cause: 'OpenSSL refused the client certificate for a reason without a code of its own; the message names it.',
    remedy: 'Look at the named OpenSSL error; "openssl verify -purpose sslclient" shows the same verdict.',
  },
  CERTIFICATE_REVOKED: {
    status: 401,
    cause: "The CA's certificate revocation list names the client certificate, or a CA certificate above it.",
    remedy: 'Issue a new client certificate with a new key; the delegate picks the file up without a restart.',
  },
  CRL_EXPIRED: {
    status: 401,
    cause:
      "The certificate revocation list of the client certificate's CA is past its next update, and the account does not use expired lists. Nothing is wrong with the certificate.",
    remedy: "Upload the CA's current CRL (sallyport endpoint crl upload).",
  },
  CERTIFICATE_DENIED: {
    status: 401,
    cause: 'The account has put the client certificate, or a CA certificate above it, on its denied certificates.',
    remedy: 'Issue a new client certificate with a new key, or take it off (sallyport endpoint denied remove).',
  },
  IDENTITY_NOT_ALLOWED: {
    status: 401,
    cause:
      'The client certificate is valid and has none of the identities that the account allows, or the delegate is pinned to another certificate.',
    remedy:
      'Use a certificate with an allowed identity, or change the allowed identities or the pin (sallyport endpoint allowed, sallyport delegate pin).',
  },
  MISDIRECTED_REQUEST: {
    status: 421,
    cause: 'The Host header differs from the name that the TLS connection was made for.',
    remedy: 'Open a connection to the host that the request is for.',
  },
  ACCESS_DENIED: {
    status: 403,
    cause: 'The caller is known but its role does not allow this call.',
    remedy: 'Use an API key with the role that the message names.',
  },
  NG_ACCESS_DENIED: {
    status: 403,
    cause: 'The caller is known but may not manage the mTLS endpoint of this account.',
    remedy: 'Use an account admin key of that account, or an operator key.',
  },
  ENTITY_NOT_FOUND: {
    status: 404,
    cause: 'The thing that the request names does not exist.',
    remedy: 'Check the identifier; list the existing ones.',
  },
  RESOURCE_NOT_FOUND: {
    status: 404,
    cause: 'No such path, or not with this method.',
    remedy: 'Check method and path against /openapi.json.',
  },
  DELEGATE_NOT_REGISTERED: {
    status: 404,
    cause: 'The delegate id is not known to this account: it was deleted or never registered.',
    remedy: 'Register again.',
  },
  CONFLICT: {
    status: 409,
    cause: 'The thing exists already, or is in a state that does not allow the change.',
    remedy: 'Read the current state, then decide.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    cause: 'The body is larger than this call takes.',
    remedy: 'Send less; the message names the limit.',
  },
  FEATURE_UNAVAILABLE: {
    status: 417,
    cause: 'mTLS is not enabled for the account, or the control plane has no agent domain configured.',
    remedy: 'Ask the operator to enable mTLS for the account (sallyport account enable-mtls ACCOUNT).',
  },
  TOO_MANY_REQUESTS: {
    status: 429,
    cause: 'The account or the address has reached one of its limits: requests a second, or open connections.',
    remedy: 'Wait for the time in Retry-After; if this is your normal load, ask the operator to raise the limit.',
  },
  LOG_STREAM_NOT_FOUND: {
    status: 500,
    cause: 'A log stream was to be closed that is not open. Existing log writers expect this status.',
    remedy: 'Nothing is lost: it was closed already, or never opened.',
  },
  INTERNAL_SERVER_ERROR: {
    status: 500,
    cause: 'A fault of the control plane. The cause is in its log under the correlation id, never in the answer.',
    remedy: 'Give the correlation id to the operator.',
  },
  SERVICE_UNAVAILABLE: {
    status: 503,
    cause: 'The control plane is starting, stopping, or cannot reach its database.',
    remedy: 'Try again after the time in Retry-After.',
  },
} as const satisfies Record<string, { status: number; cause: string; remedy: string }>;

export type ErrorCode = keyof typeof ERROR_LEDGER;

export interface SallyportErrorOptions {
  /** Values for whoever debugs; shown to the caller in `additionalInfo`, so never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** The one thing to do, when it is more specific than the ledger's remedy. */
  readonly remedy?: string;
  /** For the log only; never sent. */
  readonly cause?: unknown;
}

/** The one error family. `message` is public: what is wrong, with which value. 5xx never echo their cause. */
export class SallyportError extends Error {
  override readonly name = 'SallyportError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly remedy: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: SallyportErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = ERROR_LEDGER[code].status;
    this.remedy = options.remedy ?? ERROR_LEDGER[code].remedy;
    this.details = options.details ?? {};
  }
}
