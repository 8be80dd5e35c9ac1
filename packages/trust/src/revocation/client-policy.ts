import type { PathCertificate } from '../issuer-path.ts';
import type { RevocationList } from './revocation-list.ts';

/** What becomes of a CA's clients when its CRL has expired. */
export type ExpiredListRule =
  /** They are refused until a newer list is there (RFC 5280 6.3.3: without a current list the status is unknown). */
  | { readonly whenExpired: 'REFUSE' }
  /** They are judged by the old list for so many hours more, then refused. */
  | { readonly whenExpired: 'USE_STALE'; readonly staleHours: number };

/** Which clients of its CAs an account does not admit. Compiled when it is loaded, only looked at for a connection. */
export interface ClientPolicy {
  /** By the SHA-256 of the public key that signed the list. */
  readonly lists: ReadonlyMap<string, RevocationList>;
  readonly expiredLists: ExpiredListRule;
  readonly denied: DeniedCertificates;
  /** Pin keys of the identities that are admitted; empty admits every one. */
  readonly allowed: ReadonlySet<string>;
}

/** One certificate that is not admitted, nor anything below it. */
export type DeniedCertificate =
  | { readonly fingerprint256: string }
  /** `issuer` is a name in one line, `serialNumber` hex without leading zeros. */
  | { readonly issuer: string; readonly serialNumber: string };

export class DeniedCertificates {
  readonly #fingerprints = new Set<string>();
  /** Issuers by serial number. */
  readonly #issuers = new Map<string, Set<string>>();
  readonly size: number;

  constructor(denied: readonly DeniedCertificate[]) {
    for (const entry of denied) {
      if ('fingerprint256' in entry) this.#fingerprints.add(entry.fingerprint256);
      else {
        const issuers = this.#issuers.get(entry.serialNumber) ?? new Set();
        this.#issuers.set(entry.serialNumber, issuers.add(looseName(entry.issuer)));
      }
    }
    this.size = denied.length;
  }

  has(certificate: PathCertificate): boolean {
    if (this.#fingerprints.size > 0) {
      if (this.#fingerprints.has(certificate.fingerprint256)) return true;
      if (certificate.twinFingerprints.some((twin) => this.#fingerprints.has(twin))) return true;
    }
    return this.#issuers.get(certificate.serialNumber)?.has(looseName(certificate.issuer)) ?? false;
  }
}

/**
 * A name as people and tools write it, whatever the order of its parts (OpenSSL and RFC 4514 have opposite ones), case and
 * white space. Loose on purpose: a name that was typed in another way must not let a denied certificate in, and the serial
 * number beside it keeps others out of it.
 */
export function looseName(name: string): string {
  return name
    .split(',')
    .map((part) => part.replace(/\s+/g, '').toLowerCase())
    .sort()
    .join();
}

/** A policy that keeps nobody out. */
export const ADMIT_ALL: ClientPolicy = {
  lists: new Map(),
  expiredLists: { whenExpired: 'REFUSE' },
  denied: new DeniedCertificates([]),
  allowed: new Set(),
};
