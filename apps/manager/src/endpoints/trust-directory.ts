import { createHash } from 'node:crypto';
import { type CaAuthority, CaBundleError, type EndpointMode, readCaBundle } from '@sallyport/trust';
import { LRUCache } from 'lru-cache';
import type { Bus } from '../bus/bus.ts';
import type { AccountPolicy } from '../revocation/account-policy.ts';
import type { MtlsEndpoint } from './endpoint-store.ts';

/** An endpoint as connections are judged by it. */
export interface LiveEndpoint {
  readonly accountId: string;
  readonly fqdn: string;
  readonly mode: EndpointMode;
  readonly caCertificates: string;
  /** Empty when the stored bundle cannot be read: then nobody is admitted. */
  readonly authorities: readonly CaAuthority[];
  /** Equal for two states of an endpoint exactly when they verify certificates alike: account, name and bundle, not the mode. */
  readonly trustKey: string;
  /** Whom of its CAs' clients the account does not admit. */
  readonly policy: AccountPolicy;
}

export interface EndpointSource {
  byAccount(accountId: string): Promise<MtlsEndpoint | null>;
  byFqdn(fqdn: string): Promise<MtlsEndpoint | null>;
  /** Rejects when the policy can't be read: then nobody is admitted. */
  policyOf(accountId: string): Promise<AccountPolicy>;
}

interface Entry {
  readonly endpoint: Promise<LiveEndpoint | null>;
  /** What it resolved with; undefined while the lookup is under way. */
  found: LiveEndpoint | null | undefined;
}

/** In bytes. Accounts with large revocation lists that are not in use make room for those that are. */
const MAX_WEIGHT = 256 * 1024 * 1024;
/**
 * 50,000 entries without revocation lists, each small next to a connection: what stops a flood of invented account ids.
 * Not a bound of its own, for whose entries an LRUCache would take the room when it is made.
 */
const ENTRY_WEIGHT = Math.ceil(MAX_WEIGHT / 50_000);
/**
 * A database that does not answer must not hold a handshake or a request open, and one question that hangs must not
 * stand for the next: whoever asks after this asks the database anew.
 */
const LOOKUP_TIMEOUT_MS = 5_000;

/**
 * What is true of every endpoint now. Answers come from memory, and an entry dies in the same moment as the fact that
 * it holds: the bus announces every change, and while the bus may miss announcements nothing is kept at all.
 *
 * A lookup that was under way when a change was announced may still answer the old state to whoever asked before the
 * change; it is not kept. Callers therefore register what they decide about first (see LiveConnections.bind).
 */
export class TrustDirectory {
  readonly #source: EndpointSource;
  readonly #bus: Bus;
  readonly #timeoutMs: number;
  readonly #byAccount = new LRUCache<string, Entry>({ maxSize: MAX_WEIGHT });
  readonly #byFqdn = new LRUCache<string, Entry>({ maxSize: MAX_WEIGHT });

  constructor(source: EndpointSource, bus: Bus, timeoutMs = LOOKUP_TIMEOUT_MS) {
    this.#source = source;
    this.#bus = bus;
    this.#timeoutMs = timeoutMs;
    bus.subscribe('trust-changed', ({ accountId }) => {
      this.#byAccount.delete(accountId);
      for (const [fqdn, entry] of this.#byFqdn.entries()) {
        if ((entry.found?.accountId ?? accountId) === accountId) this.#byFqdn.delete(fqdn);
      }
    });
    bus.subscribe('resync', () => {
      this.#byAccount.clear();
      this.#byFqdn.clear();
    });
  }

  /** The account's endpoint, or null when it has none. Rejects when the database does not answer in time: then refuse. */
  byAccount(accountId: string): Promise<LiveEndpoint | null> {
    return this.#find(this.#byAccount, accountId, () => this.#source.byAccount(accountId), true);
  }

  /** As `byAccount`, when memory has it: undefined when it has to be asked for. */
  recall(accountId: string): LiveEndpoint | null | undefined {
    return this.#bus.inStep ? this.#byAccount.get(accountId)?.found : undefined;
  }

  /** As `byFqdn`, when memory has it: undefined when it has to be asked for. */
  recallFqdn(fqdn: string): LiveEndpoint | null | undefined {
    return this.#bus.inStep ? this.#byFqdn.get(fqdn)?.found : undefined;
  }

  /** The endpoint of a canonical name, or null. Rejects when the database does not answer in time: then refuse. */
  byFqdn(fqdn: string): Promise<LiveEndpoint | null> {
    // Unknown names are not kept: scanning for names could otherwise push out the real ones.
    return this.#find(this.#byFqdn, fqdn, () => this.#source.byFqdn(fqdn), false);
  }

  #find(
    entries: LRUCache<string, Entry>,
    key: string,
    read: () => Promise<MtlsEndpoint | null>,
    keepAbsence: boolean,
  ): Promise<LiveEndpoint | null> {
    if (!this.#bus.inStep) return this.#readInTime(read);
    const kept = entries.get(key);
    if (kept !== undefined) return kept.endpoint;
    const entry: Entry = { endpoint: this.#readInTime(read), found: undefined };
    entries.set(key, entry, { size: ENTRY_WEIGHT });
    const drop = () => {
      if (entries.peek(key) === entry) entries.delete(key);
    };
    entry.endpoint.then((endpoint) => {
      entry.found = endpoint;
      if (endpoint === null) {
        if (!keepAbsence) drop();
      } else if (endpoint.policy.weight > 0 && entries.peek(key) === entry) {
        entries.set(key, { ...entry }, { size: ENTRY_WEIGHT + endpoint.policy.weight });
      }
    }, drop);
    return entry.endpoint;
  }

  async #readInTime(read: () => Promise<MtlsEndpoint | null>): Promise<LiveEndpoint | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const failure = new Error(`the database did not say within ${this.#timeoutMs} ms whom to trust`);
      timer = setTimeout(() => reject(failure), this.#timeoutMs);
    });
    const found = async () => {
      const stored = await read();
      return stored === null ? null : toLive(stored, await this.#source.policyOf(stored.accountId));
    };
    try {
      return await Promise.race([found(), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A stored endpoint as connections are judged by it. */
export function toLive(stored: MtlsEndpoint, policy: AccountPolicy): LiveEndpoint {
  const { accountId, fqdn, mode, caCertificates } = stored;
  const trustKey = createHash('sha256')
    .update(JSON.stringify([accountId, fqdn, caCertificates]))
    .digest('hex');
  return { accountId, fqdn, mode, caCertificates, authorities: readAuthorities(caCertificates), trustKey, policy };
}

function readAuthorities(caCertificates: string): readonly CaAuthority[] {
  try {
    return readCaBundle(caCertificates, new Date()).authorities;
  } catch (error) {
    // A bundle that was accepted once and cannot be read now (all expired, damaged in the store) trusts nobody.
    if (error instanceof CaBundleError) return [];
    throw error;
  }
}
