import { createHash } from 'node:crypto';
import type { PresentedCertificate } from '@sallyport/protocol';
import type { RefusalReason } from '@sallyport/trust';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { Tally } from '../metrics/tally.ts';
import { isCounted, type TokenRefusal } from './refusal-reasons.ts';

/** One refused connection or request. */
export interface RefusalRecord {
  /** The account of the endpoint or of the request; null when the name or the account is unknown. */
  readonly accountId: string | null;
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
  readonly serverName: string | null;
  readonly remoteAddress: string;
  readonly certificate: PresentedCertificate | null;
}

/** Refusals of one cause by one client: counted, with the last one's evidence. */
export interface RefusalGroup extends RefusalRecord {
  readonly id: string;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly count: number;
}

export interface RefusalWriter {
  add(groups: readonly RefusalGroup[]): Promise<void>;
}

/** Each write takes up to 200 lines of an account: this often, a flood costs the database a few hundred a second at most. */
const FLUSH_EVERY_MS = 1_000;
/** Groups waiting to be written. A flood of ever new clients is counted as one group per account beyond this. */
const MAX_PENDING = 2_000;
const MAX_PENDING_PER_ACCOUNT = 200;
/** With the groups of those others. A client chooses the account that it names, so beyond this they are only counted. */
const MOST_PENDING = 2_500;

/**
 * Takes refusals as fast as they come and writes them grouped, once a second: a flood costs a counter, neither
 * memory nor a write for each, also while the store is slow. `record` never blocks and never throws.
 */
export class RefusalRecorder {
  readonly #store: RefusalWriter;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #pending = new Map<string, { -readonly [K in keyof RefusalGroup]: RefusalGroup[K] }>();
  #perAccount = new Map<string | null, number>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;
  #dropped = 0;
  readonly counts = new Tally<RefusalReason | TokenRefusal | 'OTHER'>();

  constructor(store: RefusalWriter, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  record(refusal: RefusalRecord): void {
    this.counts.add(isCounted(refusal.reason) ? refusal.reason : 'OTHER');
    const now = this.#clock.now().getTime();
    let key = groupKey(refusal, refusal.certificate?.fingerprint ?? refusal.remoteAddress);
    let pending = this.#pending.get(key);
    if (pending === undefined && this.#isFull(refusal.accountId)) {
      key = groupKey(refusal, 'others');
      pending = this.#pending.get(key);
    }
    if (pending !== undefined) {
      Object.assign(pending, refusal, { lastSeen: now, count: pending.count + 1 });
    } else if (this.#pending.size < MOST_PENDING) {
      this.#pending.set(key, { ...refusal, id: groupId(key), firstSeen: now, lastSeen: now, count: 1 });
      this.#perAccount.set(refusal.accountId, (this.#perAccount.get(refusal.accountId) ?? 0) + 1);
    } else {
      this.#dropped += 1;
    }
    this.#schedule();
  }

  /** Resolves when everything recorded so far is in the store, or its loss is in the log. Never rejects. */
  async flush(): Promise<void> {
    // One write at a time: while the store hangs, refusals add up in the bounded groups that wait for the next one.
    while (this.#writing !== null) await this.#writing;
    if (this.#pending.size === 0) return;
    this.#writing = this.#write().finally(() => {
      this.#writing = null;
      if (this.#pending.size > 0) this.#schedule();
    });
    await this.#writing;
  }

  async #write(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const groups = [...this.#pending.values()];
    const dropped = this.#dropped;
    this.#pending = new Map();
    this.#perAccount = new Map();
    this.#dropped = 0;
    if (dropped > 0) this.#logger.warn({ dropped }, 'a flood of refusals: these were counted, not recorded');
    try {
      await this.#store.add(groups);
    } catch (error) {
      this.#logger.error({ err: error, groups: groups.length }, 'refusals were not recorded');
    }
  }

  #schedule(): void {
    if (this.#timer !== null || this.#writing !== null) return;
    this.#timer = setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
    this.#timer.unref();
  }

  #isFull(accountId: string | null): boolean {
    return this.#pending.size >= MAX_PENDING || (this.#perAccount.get(accountId) ?? 0) >= MAX_PENDING_PER_ACCOUNT;
  }
}

/** Made for each refusal of a flood, so it is a text; the id is a hash of it and made once a group. */
function groupKey({ accountId, reason }: RefusalRecord, client: string): string {
  return accountId === null ? `[null,"${reason}","${client}"]` : `["${accountId}","${reason}","${client}"]`;
}

function groupId(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}
