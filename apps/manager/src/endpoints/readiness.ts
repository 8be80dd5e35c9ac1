import type {
  EndpointMode,
  Readiness,
  ReadinessRefusal,
  ReadinessRow,
  ReadinessState,
  Refusal,
} from '@sallyport/protocol';
import type { FleetMember } from '../delegates/fleet.ts';
import { isTokenRefusal } from '../refusals/refusal-reasons.ts';
import { remedyOf } from './readiness-remedies.ts';
import { RefusalMatches } from './refusal-matches.ts';

export interface ReadinessInput {
  /** Where delegates on mTLS connect to. */
  readonly url: string;
  readonly mode: EndpointMode;
  readonly fleet: readonly FleetMember[];
  /** When a delegate of this name was last on mTLS, whichever instance of it that was. */
  readonly namesOnMtls: ReadonlyMap<string, number>;
  /** Newest first. */
  readonly refusals: readonly Refusal[];
  readonly notSeenForDays: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

const DAY_MS = 86_400_000;
const MOST_REFUSED_CLIENTS = 100;

/** Who would be cut off if the account went STRICT now, and what to do about each. */
export function judgeReadiness(input: ReadinessInput): Readiness {
  const since = input.now - input.notSeenForDays * DAY_MS;
  // A token that was refused says nothing about the certificate that came with it.
  const presented = input.refusals.filter(
    ({ certificate, lastSeen, reason }) => certificate !== null && lastSeen >= since && !isTokenRefusal(reason),
  );
  const matches = new RefusalMatches(presented);
  const siblings = namesConnectedOnMtls(input.fleet);
  const rows = input.fleet.map((member) => {
    const refusal = matches.newestOf(member);
    const expired = hasExpired(member, input.now);
    const lastOnMtls =
      member.mtls?.at ?? (siblings.has(member.name) ? null : (input.namesOnMtls.get(member.name) ?? null));
    const state = stateOf(member, refusal, lastOnMtls, since, expired);
    return rowOf(member, state, refusal, lastOnMtls, input);
  });
  const matched = new Set(input.fleet.flatMap((member) => matches.allOf(member)));
  const refusedClients = presented.filter((refusal) => !matched.has(refusal)).slice(0, MOST_REFUSED_CLIENTS);
  const count = (state: ReadinessState) => rows.filter((row) => row.state === state).length;
  return {
    ready: rows.every((row) => !row.blocksStrict),
    mode: input.mode,
    notSeenForDays: input.notSeenForDays,
    totals: {
      onMtls: count('ON_MTLS'),
      plain: count('PLAIN'),
      plainAfterMtls: count('PLAIN_AFTER_MTLS'),
      invalidCertificate: count('INVALID_CERTIFICATE'),
      notSeen: count('NOT_SEEN'),
      refusedClients: refusedClients.length,
    },
    delegates: rows.sort((a, b) => Number(b.blocksStrict) - Number(a.blocksStrict)),
    refusedClients,
  };
}

function stateOf(
  member: FleetMember,
  refusal: ReadinessRefusal | null,
  lastOnMtls: number | null,
  since: number,
  expired: boolean,
): ReadinessState {
  const onMtls = member.transport === 'MTLS';
  // One that comes by heartbeats counts as connected for a while after its connection was cut at that moment.
  if (member.connected && onMtls) return expired ? 'INVALID_CERTIFICATE' : 'ON_MTLS';
  if (!member.connected && member.lastSeen < since) return 'NOT_SEEN';
  if (refusal !== null || (onMtls && expired)) return 'INVALID_CERTIFICATE';
  if (onMtls) return 'ON_MTLS';
  return lastOnMtls === null ? 'PLAIN' : 'PLAIN_AFTER_MTLS';
}

/**
 * Anybody who knows the endpoint's name can present a certificate with a delegate's name in it, and so must not be able
 * to keep an account from going STRICT. The fingerprint counts: the handshake proved possession of its key.
 */
function blocks(state: ReadinessState, member: FleetMember, refusal: ReadinessRefusal | null, now: number): boolean {
  if (state === 'INVALID_CERTIFICATE') {
    return member.transport !== 'MTLS' || refusal?.matchedBy === 'FINGERPRINT' || hasExpired(member, now);
  }
  return state === 'PLAIN' || state === 'PLAIN_AFTER_MTLS';
}

/** The certificate that it came with last, so that it cannot come with it any more. */
function hasExpired({ mtls }: FleetMember, now: number): boolean {
  return mtls !== null && mtls.certificate.notAfter <= now;
}

function rowOf(
  member: FleetMember,
  state: ReadinessState,
  refusal: ReadinessRefusal | null,
  lastOnMtls: number | null,
  { url, now }: ReadinessInput,
): ReadinessRow {
  const { delegateId, name, hostName, connected, transport, lastSeen, mtls } = member;
  const row = {
    ...{ state, delegateId, name, hostName, connected, transport, lastSeen, lastOnMtls, refusal },
    certificate: mtls?.certificate ?? null,
    blocksStrict: blocks(state, member, refusal, now),
  };
  return { ...row, remedy: remedyOf(row, url, now) };
}

function namesConnectedOnMtls(fleet: readonly FleetMember[]): ReadonlySet<string> {
  return new Set(fleet.filter(({ connected, transport }) => connected && transport === 'MTLS').map(({ name }) => name));
}
