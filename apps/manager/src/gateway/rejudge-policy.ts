import { judgePolicy, type PolicySubject, traceAuthority } from '@sallyport/trust';
import type { LiveEndpoint } from '../endpoints/trust-directory.ts';
import { judgePin } from '../revocation/delegate-pins.ts';
import type { CutReason, LiveConnection } from './live-connections.ts';
import { errorCodeOf } from './refusal-codes.ts';
import { rejudge } from './rejudge.ts';

/**
 * Does an admitted connection still hold, by the account's CAs and mode, by its policy, and by the pins of the delegates
 * that it speaks for? Null: it does; otherwise why not.
 */
export function rejudgeWhole(
  connection: LiveConnection,
  accountId: string,
  endpoint: LiveEndpoint | null,
  now: Date,
): CutReason | null {
  const { identity, subject, delegates } = connection;
  const untrusted = rejudge(identity, accountId, endpoint);
  if (untrusted !== null || endpoint === null) return untrusted;
  if (identity.listener === 'mtls' && identity.accountId !== accountId) return null;
  if (identity.listener === 'mtls') {
    if (subject === null) return { code: 'SERVICE_UNAVAILABLE', message: 'what the policy looks at is not known' };
    const refused = judgePolicy(endpoint.policy.clients, underBundle(subject, identity.anchor, endpoint), now);
    if (refused !== null) return { code: errorCodeOf(refused.reason), message: refused.message };
  }
  for (const name of delegates.get(accountId) ?? []) {
    const unpinned = judgePin(endpoint.policy.pins, name, identity);
    if (unpinned !== null) return { code: errorCodeOf(unpinned.reason), message: unpinned.message };
  }
  return null;
}

/** A client's path with what the bundle of today has above the CA that it ends at. */
function underBundle(subject: PolicySubject, anchor: string | null, { authorities }: LiveEndpoint): PolicySubject {
  const authority = authorities.find(({ fingerprint256 }) => fingerprint256 === anchor);
  if (authority === undefined || authorities.length === 1) return subject;
  const { certificates, complete } = subject.path;
  return { ...subject, path: { complete, certificates: [...certificates, ...traceAuthority(authority, authorities)] } };
}
