import type { RevokedSerials } from './revoked-serials.ts';

/** One CA's list of revoked certificates, complete: what is not on it is not revoked. */
export interface RevocationList {
  /** The CA's name in one line, as certificates' facts have it. */
  readonly issuer: string;
  /** Key id of the CA, lower-case hex; null when the list carries none. */
  readonly issuerKeyId: string | null;
  /** cRLNumber in decimal; null for a list without one, such as a v1 list. */
  readonly number: string | null;
  readonly thisUpdate: Date;
  /** From this moment on the list has expired: a newer one should have been published. */
  readonly nextUpdate: Date;
  readonly serials: RevokedSerials;
  /** It names a distribution point: a CA that spreads its revocations over several lists does that. */
  readonly namesDistributionPoint: boolean;
}

/** A list as it was read, with what its signature is to be verified over. Nothing is verified yet. */
export interface UnverifiedRevocationList extends RevocationList {
  readonly signed: {
    readonly body: Uint8Array;
    /** `RSA SHA-256`, `ECDSA SHA-384`, ... or a dotted OID. */
    readonly algorithm: string;
    readonly signature: Uint8Array;
  };
}

/** Whether `list` is older than `last`, of the same CA: an earlier date or a lower number is enough (RFC 5280 5.2.3). */
export function isOlder(
  list: Pick<RevocationList, 'number' | 'thisUpdate'>,
  last: Pick<RevocationList, 'number' | 'thisUpdate'>,
): boolean {
  if (list.thisUpdate < last.thisUpdate) return true;
  return list.number !== null && last.number !== null && BigInt(list.number) < BigInt(last.number);
}

/** How much of a list's life has passed at `now`: 0 at thisUpdate, 1 at nextUpdate, more than that for one that has expired. */
export function shareOfLife(
  { thisUpdate, nextUpdate }: Pick<RevocationList, 'thisUpdate' | 'nextUpdate'>,
  now: Date,
): number {
  const life = nextUpdate.getTime() - thisUpdate.getTime();
  return life <= 0 ? 1 : Math.max(0, (now.getTime() - thisUpdate.getTime()) / life);
}
