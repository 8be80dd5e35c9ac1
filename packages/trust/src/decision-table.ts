import type { Refusal, RefusalReason } from './reasons.ts';

export type EndpointMode = 'LOOSE' | 'STRICT';

type EndpointRow = 'NONE' | EndpointMode;
type AuthorityColumn = 'ABSENT' | 'EQUAL' | 'OTHER';

/**
 * Which transports an account accepts. Rows: the account's stored endpoint. Columns: the authority of the connection,
 * which is the name of the endpoint that admitted its client certificate (absent: no mTLS).
 */
export const DECISION_TABLE = {
  NONE: { ABSENT: 'ADMIT', EQUAL: 'AUTHORITY_MISMATCH', OTHER: 'AUTHORITY_MISMATCH' },
  LOOSE: { ABSENT: 'ADMIT', EQUAL: 'ADMIT', OTHER: 'AUTHORITY_MISMATCH' },
  STRICT: { ABSENT: 'MTLS_REQUIRED', EQUAL: 'ADMIT', OTHER: 'AUTHORITY_MISMATCH' },
} as const satisfies Readonly<Record<EndpointRow, Readonly<Record<AuthorityColumn, 'ADMIT' | RefusalReason>>>>;

export interface TransportInput {
  /** The account's stored endpoint, null when it has none. */
  readonly endpoint: { readonly fqdn: string; readonly mode: EndpointMode } | null;
  /** The `authority` of the connection's own admission; null for a connection without mTLS. Never a client's header. */
  readonly authority: string | null;
  /** The URL that delegates of an endpoint are to be given, for the remedy. Default: `https://` and the name. */
  readonly urlOf?: (fqdn: string) => string;
}

export interface TransportEvidence {
  readonly endpoint: string | null;
  readonly mode: EndpointMode | null;
  readonly authority: string | null;
}

export type TransportVerdict =
  | { readonly admitted: true; readonly authority: string | null }
  | Refusal<TransportEvidence>;

/**
 * The second door: does this account accept this transport?
 *
 * Names are compared exactly, as stored: canonicalise before. An empty authority counts as absent. It does not look at
 * certificates: the authority must come from a connection verdict that still holds. The refusal names the account's
 * endpoint, so answer with it only to a caller whose token has been verified.
 */
export function judgeTransport({ endpoint, authority, urlOf = hostOnly }: TransportInput): TransportVerdict {
  const row: EndpointRow = endpoint === null ? 'NONE' : endpoint.mode;
  const decision = DECISION_TABLE[row][columnOf(endpoint, authority)];
  if (decision === 'ADMIT') return { admitted: true, authority: authority === '' ? null : authority };
  const evidence = { endpoint: endpoint?.fqdn ?? null, mode: endpoint?.mode ?? null, authority };
  return { admitted: false, reason: decision, ...explain(decision, evidence, urlOf), evidence };
}

function columnOf(endpoint: TransportInput['endpoint'], authority: string | null): AuthorityColumn {
  if (authority === null || authority === '') return 'ABSENT';
  return authority === endpoint?.fqdn ? 'EQUAL' : 'OTHER';
}

const hostOnly = (fqdn: string): string => `https://${fqdn}`;

function explain(
  reason: 'MTLS_REQUIRED' | 'AUTHORITY_MISMATCH',
  { endpoint, authority }: TransportEvidence,
  urlOf: (fqdn: string) => string,
) {
  if (endpoint === null) {
    return {
      message: `The connection came through the mTLS endpoint ${authority}, but the account has no mTLS endpoint.`,
      remedy:
        'Set MANAGER_HOST_AND_PORT to the URL of the public listener, or create the mTLS endpoint of this account.',
    };
  }
  if (reason === 'MTLS_REQUIRED') {
    return {
      message: `The account accepts mTLS delegates only (its endpoint ${endpoint} is STRICT), and this connection presented no client certificate.`,
      remedy: `Set MANAGER_HOST_AND_PORT to ${urlOf(endpoint)} and give the delegate a client certificate.`,
    };
  }
  return {
    message: `The connection came through the mTLS endpoint ${authority}, but the account's own endpoint is ${endpoint}.`,
    remedy: `Set MANAGER_HOST_AND_PORT to ${urlOf(endpoint)}, with a client certificate from that account's CA.`,
  };
}
