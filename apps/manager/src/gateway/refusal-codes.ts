import type { ErrorCode } from '@sallyport/protocol';
import type { RefusalReason } from '@sallyport/trust';

/** Refusal reasons are ledger codes, but for the two of the second door, which existing clients know by another name. */
export function errorCodeOf(reason: RefusalReason): ErrorCode {
  return reason === 'AUTHORITY_MISMATCH' || reason === 'MTLS_REQUIRED' ? 'INVALID_AGENT_MTLS_AUTHORITY' : reason;
}
