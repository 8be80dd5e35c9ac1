import { type ClientPolicy, DeniedCertificates, pinKey, type RevocationList, RevokedSerials } from '@sallyport/trust';
import type { Kysely } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { Schema } from '../database/schema.ts';
import type { AccountPolicy } from './account-policy.ts';
import { CrlParts } from './crl-parts.ts';
import { CrlStore, ruleOf, type StoredCrl } from './crl-store.ts';
import { DeniedCertificateStore } from './denied-certificate-store.ts';
import { IdentityStore } from './identity-store.ts';

/** Revoked serial numbers that are kept, in bytes: some 150 lists of 100,000 entries. */
const MOST_BYTES = 256 * 1024 * 1024;
/** A list may be replaced between reading of it and reading it: then once more from the start. */
const ATTEMPTS = 3;

/**
 * Reads what an account keeps clients out by. A list's numbers are read once, not with every other change of the
 * account's trust, nor for every connection while nothing may be kept because the bus is out of step.
 */
export class PolicySource {
  readonly #crls: CrlStore;
  readonly #parts: CrlParts;
  readonly #denied: DeniedCertificateStore;
  readonly #identities: IdentityStore;
  readonly #serials = new LRUCache<string, RevokedSerials>({
    maxSize: MOST_BYTES,
    sizeCalculation: ({ encoded }) => encoded.length + 1,
  });

  constructor(database: Kysely<Schema>) {
    this.#crls = new CrlStore(database);
    this.#parts = new CrlParts(database);
    this.#denied = new DeniedCertificateStore(database);
    this.#identities = new IdentityStore(database);
  }

  /** Rejects when anything of it can't be read: then nobody is to be admitted. */
  async policyOf(accountId: string): Promise<AccountPolicy> {
    const [lists, rule, denied, allowed, pins] = await Promise.all([
      this.#listsOf(accountId),
      this.#crls.policy(accountId),
      this.#denied.ofAccount(accountId),
      this.#identities.allowed(accountId),
      this.#identities.pins(accountId),
    ]);
    const clients: ClientPolicy = {
      lists,
      expiredLists: ruleOf(rule),
      denied: new DeniedCertificates(
        denied.map(({ fingerprint, issuer, serialNumber }) =>
          fingerprint === null
            ? { issuer: issuer ?? '', serialNumber: serialNumber ?? '' }
            : { fingerprint256: fingerprint },
        ),
      ),
      allowed: new Set(allowed.map(pinKey)),
    };
    return {
      clients,
      pins: new Map(pins.map(({ delegateName, fingerprints }) => [delegateName, new Set(fingerprints)])),
      weight: [...lists.values()].reduce((sum, { serials }) => sum + serials.encoded.length, 0),
    };
  }

  async #listsOf(accountId: string): Promise<ReadonlyMap<string, RevocationList>> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const lists = new Map<string, RevocationList>();
      let changed = false;
      for (const crl of await this.#crls.ofAccount(accountId)) {
        const serials = await this.#serialsOf(crl);
        if (serials === null) changed = true;
        else lists.set(crl.issuerKey, { ...crl, serials });
      }
      if (!changed) return lists;
    }
    throw new Error(`the CRLs of the account ${accountId} are not there as a whole, or change all the time`);
  }

  /** Null when the list was replaced since it was read of. */
  async #serialsOf(crl: StoredCrl): Promise<RevokedSerials | null> {
    const key = `${crl.accountId} ${crl.issuerKey} ${crl.digest}`;
    const kept = this.#serials.get(key);
    if (kept !== undefined) return kept;
    const stored = await this.#parts.read(crl);
    if (stored === null) return null;
    const serials = RevokedSerials.decode(stored);
    if (serials.size !== crl.entries) throw new Error(`the stored CRL of "${crl.issuer}" is not complete`);
    this.#serials.set(key, serials);
    return serials;
  }
}
