import type { ReadinessRefusal, Refusal } from '@sallyport/protocol';
import type { FleetMember } from '../delegates/fleet.ts';

const DELEGATE_URN = 'urn:sallyport:delegate:';

/** Refused certificates, found by whose they are. Indexed, because a large fleet meets hundreds of them. */
export class RefusalMatches {
  readonly #byFingerprint: ReadonlyMap<string, readonly Refusal[]>;
  readonly #byName: ReadonlyMap<string, readonly Refusal[]>;

  /** Newest first; those that showed no certificate are passed over. */
  constructor(refusals: readonly Refusal[]) {
    this.#byFingerprint = index(refusals, ({ certificate }) => (certificate === null ? [] : [certificate.fingerprint]));
    this.#byName = index(
      refusals,
      ({ certificate }) => new Set((certificate?.names ?? []).map((name) => name.toLowerCase())),
    );
  }

  /** The newest refusal of the delegate's own certificate, else of one with its name, since its last one was accepted. */
  newestOf(member: FleetMember): ReadinessRefusal | null {
    const since = member.mtls?.since ?? 0;
    const own = this.#own(member).find(({ lastSeen }) => lastSeen >= since);
    if (own !== undefined) return { ...own, matchedBy: 'FINGERPRINT' };
    const named = this.#named(member).find(({ lastSeen }) => lastSeen >= since);
    return named === undefined ? null : { ...named, matchedBy: 'NAME' };
  }

  /** Every refusal that is or says to be one of the delegate's, however old. */
  allOf(member: FleetMember): readonly Refusal[] {
    return [...this.#own(member), ...this.#named(member)];
  }

  #own({ mtls }: FleetMember): readonly Refusal[] {
    return mtls === null ? [] : (this.#byFingerprint.get(mtls.certificate.fingerprint) ?? []);
  }

  #named({ name }: FleetMember): readonly Refusal[] {
    const urn = `${DELEGATE_URN}${encodeURIComponent(name)}`;
    return [name, urn].flatMap((each) => this.#byName.get(each.toLowerCase()) ?? []);
  }
}

function index(refusals: readonly Refusal[], keysOf: (refusal: Refusal) => Iterable<string>) {
  const found = new Map<string, Refusal[]>();
  for (const refusal of refusals) {
    for (const key of keysOf(refusal)) {
      const known = found.get(key);
      if (known === undefined) found.set(key, [refusal]);
      else known.push(refusal);
    }
  }
  return found;
}
