import type { AuthorityDependant, AuthorityDetails, AuthorityUser } from '@sallyport/protocol';
import type { CaAuthority } from '@sallyport/trust';
import type { FleetMember } from '../delegates/fleet.ts';
import { isInDate } from './authorities.ts';
import type { AuthorityUse } from './authority-use-store.ts';

export interface AuthorityReportInput {
  readonly authorities: readonly CaAuthority[];
  readonly fleet: readonly FleetMember[];
  readonly uses: readonly AuthorityUse[];
  /** Delegates that have been gone for longer are not expected back. */
  readonly withinDays: number;
  readonly now: Date;
}

const DAY_MS = 86_400_000;
const MOST_NAMED = 3;

/** Each CA of a bundle with who uses it, who needs it, and whether it can go. */
export function reportAuthorities(input: AuthorityReportInput): AuthorityDetails[] {
  return input.authorities.map((authority) => reportOne(authority, input));
}

/** The instances whose last verified chain ended at the CA and does not verify without it. */
export function dependantsOf(authority: CaAuthority, input: AuthorityReportInput): AuthorityDependant[] {
  if (hasTwin(authority, input)) return [];
  const since = sinceOf(input);
  return anchoredAt(authority, input.fleet)
    .filter(({ at }) => at >= since)
    .map(({ member: { delegateId, name, hostName, connected, transport }, at }) => ({
      ...{ delegateId, name, hostName, lastUsed: at },
      connected: connected && transport === 'MTLS',
    }));
}

/** Without it the bundle would verify nobody. */
export function isLastUsable(authority: CaAuthority, { authorities, now }: AuthorityReportInput): boolean {
  const others = authorities.filter((other) => other.fingerprint256 !== authority.fingerprint256);
  return others.length === 0 || (isInDate(authority, now) && !others.some((other) => isInDate(other, now)));
}

function reportOne(authority: CaAuthority, input: AuthorityReportInput): AuthorityDetails {
  const neededBy = dependantsOf(authority, input);
  const lastUsable = isLastUsable(authority, input);
  const safeToRemove = neededBy.length === 0 && !lastUsable;
  const safeSince = safeToRemove ? unusedSince(authority, input) : null;
  return {
    fingerprint: authority.fingerprint256,
    subject: authority.subject,
    issuer: authority.issuer,
    serialNumber: authority.serialNumber,
    notBefore: authority.notBefore.getTime(),
    notAfter: authority.notAfter.getTime(),
    keyAlgorithm: authority.keyAlgorithm,
    selfSigned: authority.selfSigned,
    inDate: isInDate(authority, input.now),
    usedBy: usersOf(authority, input),
    neededBy,
    safeToRemove,
    safeSince,
    advice: lastUsable ? LAST_USABLE : advise(neededBy, safeSince, input.withinDays),
  };
}

function usersOf(authority: CaAuthority, input: AuthorityReportInput): AuthorityUser[] {
  const since = sinceOf(input);
  const users = new Map<string, AuthorityUser>();
  const add = (name: string, lastUsed: number, connected: boolean) => {
    const known = users.get(name);
    if (lastUsed < since) return;
    users.set(name, {
      name,
      connected: connected || known?.connected === true,
      lastUsed: Math.max(lastUsed, known?.lastUsed ?? 0),
    });
  };
  for (const use of input.uses) if (use.fingerprint === authority.fingerprint256) add(use.name, use.lastUsed, false);
  for (const { member, at } of anchoredAt(authority, input.fleet)) {
    add(member.name, at, member.connected && member.transport === 'MTLS');
  }
  return [...users.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The later of when the last delegate came to use another CA, and when those that are gone were given up. */
function unusedSince(authority: CaAuthority, input: AuthorityReportInput): number | null {
  const anchored = anchoredAt(authority, input.fleet);
  const waiting = new Set(anchored.map(({ member }) => member.name));
  const left = input.uses
    .filter(({ fingerprint, name }) => fingerprint === authority.fingerprint256 && !waiting.has(name))
    .map(({ lastUsed }) => lastUsed);
  const givenUp = anchored.map(({ at }) => Math.min(at + input.withinDays * DAY_MS, input.now.getTime()));
  const moments = [...left, ...givenUp];
  return moments.length === 0 ? null : Math.max(...moments);
}

function anchoredAt({ fingerprint256 }: CaAuthority, fleet: readonly FleetMember[]) {
  return fleet.flatMap((member) => (member.mtls?.anchor === fingerprint256 ? [{ member, at: member.mtls.at }] : []));
}

/** Another certificate of the same CA, such as its renewal: what the one verifies, the other verifies as well. */
function hasTwin(authority: CaAuthority, { authorities, now }: AuthorityReportInput): boolean {
  return authorities.some(
    (other) =>
      other.fingerprint256 !== authority.fingerprint256 &&
      other.subject === authority.subject &&
      other.publicKey === authority.publicKey &&
      other.isCa &&
      isInDate(other, now),
  );
}

const LAST_USABLE = 'It is the only CA of the bundle that is in date: add its successor before you remove it.';

function advise(neededBy: readonly AuthorityDependant[], safeSince: number | null, withinDays: number): string {
  if (neededBy.length === 0) {
    return safeSince === null
      ? 'Safe to remove: no delegate is known to have used it.'
      : `Safe to remove since ${day(safeSince)}.`;
  }
  const connected = neededBy.filter((dependant) => dependant.connected);
  if (connected.length > 0) {
    return `${listed(connected)} connected under it: issue certificates from another CA of the bundle first.`;
  }
  const from = day(Math.max(...neededBy.map(({ lastUsed }) => lastUsed)) + withinDays * DAY_MS);
  return `${listed(neededBy)} away, and last came under it: safe to remove from ${from} on, or once forgotten.`;
}

function listed(dependants: readonly AuthorityDependant[]): string {
  const names = [...new Set(dependants.map(({ name }) => name))];
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names.slice(0, MOST_NAMED).join(', ')}${more} ${names.length === 1 ? 'is' : 'are'}`;
}

const sinceOf = ({ withinDays, now }: AuthorityReportInput): number => now.getTime() - withinDays * DAY_MS;

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
