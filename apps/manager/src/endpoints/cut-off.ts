import type { CutOff } from '@sallyport/protocol';
import { judgeTransport } from '@sallyport/trust';
import type { FleetMember } from '../delegates/fleet.ts';
import type { ConnectionIdentity } from '../gateway/live-connections.ts';
import { rejudge } from '../gateway/rejudge.ts';
import { NO_POLICY } from '../revocation/account-policy.ts';
import type { MtlsEndpoint } from './endpoint-store.ts';
import { type LiveEndpoint, toLive } from './trust-directory.ts';

/** Those of the members whose last way in held while the endpoint was `before`, and does not once it is `after`. */
export function cutOffBy(members: readonly FleetMember[], before: MtlsEndpoint, after: MtlsEndpoint): CutOff[] {
  // Its policy stays as it is, and has judged each of them already.
  const [liveBefore, liveAfter] = [toLive(before, NO_POLICY), toLive(after, NO_POLICY)];
  return members.flatMap((member) => {
    const identity = identityOf(member, before);
    // A delegate that polls counts as connected for a while after an earlier change has cut it.
    if (identity === null || refusalOf(identity, before.accountId, liveBefore) !== null) return [];
    const reason = refusalOf(identity, before.accountId, liveAfter);
    if (reason === null) return [];
    const { delegateId, name, hostName, transport } = member;
    return [{ delegateId, name, hostName, transport, reason }];
  });
}

function refusalOf(identity: ConnectionIdentity, accountId: string, endpoint: LiveEndpoint | null): string | null {
  const verdict = judgeTransport({ endpoint, authority: identity.authority });
  return verdict.admitted ? (rejudge(identity, accountId, endpoint)?.code ?? null) : verdict.reason;
}

/** The connection that a delegate came by, as the gateway judges it. */
function identityOf({ transport, mtls }: FleetMember, { accountId, fqdn }: MtlsEndpoint): ConnectionIdentity | null {
  if (transport === 'PLAIN') return { listener: 'public', serverName: null, authority: null };
  if (transport === null || mtls === null) return null;
  const { certificate, anchor } = mtls;
  return { listener: 'mtls', serverName: fqdn, authority: fqdn, accountId, certificate, anchor };
}
