import { ERROR_LEDGER, type ErrorCode } from '@sallyport/protocol';

/** A refusal or failure that the manager itself put into words. Its message and remedy are the manager's own. */
export class ManagerError extends Error {
  override readonly name = 'ManagerError';
  /** HTTP status; 401 for a stream that the manager closed because trust or token no longer held. */
  readonly status: number;
  /** A code of the ledger, or one that a newer manager knows. */
  readonly code: string;
  /** What to do. Empty only when the answer has none and the code is unknown here. */
  readonly remedy: string;
  readonly correlationId: string | null;
  /** What `Retry-After` asked for; 0 when absent. */
  readonly retryAfterMs: number;

  constructor(fields: {
    status: number;
    code: string;
    message: string;
    remedy?: string | undefined;
    correlationId?: string | undefined;
    retryAfterMs?: number | undefined;
  }) {
    super(fields.message);
    this.status = fields.status;
    this.code = fields.code;
    this.remedy = fields.remedy ?? ledgerRemedy(fields.code);
    this.correlationId = fields.correlationId ?? null;
    this.retryAfterMs = fields.retryAfterMs ?? 0;
  }
}

function ledgerRemedy(code: string): string {
  return Object.hasOwn(ERROR_LEDGER, code) ? ERROR_LEDGER[code as ErrorCode].remedy : '';
}

export type TransportFailure =
  | 'NAME_NOT_FOUND'
  | 'CONNECTION_REFUSED'
  | 'UNREACHABLE'
  | 'TIMEOUT'
  | 'CONNECTION_LOST'
  | 'SERVER_UNTRUSTED'
  | 'SERVER_NAME_MISMATCH'
  | 'SERVER_CERTIFICATE_EXPIRED'
  | 'TLS_ALERT'
  | 'TLS_FAILED'
  | 'PROXY_FAILED'
  | 'PROXY_REFUSED'
  | 'PROXY_CREDENTIALS'
  | 'ANSWER_TOO_LARGE'
  | 'UNEXPECTED_ANSWER'
  | 'UPGRADE_REFUSED';

/** The manager was not reached, or what answered was not a manager. `message` says what, `remedy` what to do. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly failure: TransportFailure;
  readonly remedy: string;

  constructor(failure: TransportFailure, message: string, remedy: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
    this.remedy = remedy;
  }
}

const CERTIFICATE_REFUSALS: ReadonlySet<string> = new Set([
  'NO_CLIENT_CERTIFICATE',
  'UNKNOWN_ISSUER',
  'INTERMEDIATE_MISSING',
  'WRONG_PURPOSE',
  'CA_AS_LEAF',
  'CERTIFICATE_REVOKED',
  'CERTIFICATE_DENIED',
  'IDENTITY_NOT_ALLOWED',
]);

/** True when the error is about the client certificate of the connection, so that another certificate may help. */
export function isCertificateRefusal(error: unknown): boolean {
  if (error instanceof TransportError) return error.failure === 'TLS_ALERT';
  if (!(error instanceof ManagerError)) return false;
  return error.code.startsWith('CLIENT_CERTIFICATE_') || CERTIFICATE_REFUSALS.has(error.code);
}
