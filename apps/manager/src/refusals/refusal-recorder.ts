import { createHash } from 'node:crypto';
import type { PresentedCertificate } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';

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

const FLUSH_EVERY_MS = 250;
/** Groups waiting to be written. A flood of ever new clients is counted as one group per account beyond this. */
const MAX_PENDING = 2_000;
const MAX_PENDING_PER_ACCOUNT = 200;

/**
 * Takes refusals as fast as they come and writes them grouped, a few times a second: a flood costs a counter, neither
 * memory nor a write for each. `record` never blocks and never throws.
 */
export class RefusalRecorder {
  readonly #store: RefusalWriter;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #pending = new Map<string, { -readonly [K in keyof RefusalGroup]: RefusalGroup[K] }>();
  #perAccount = new Map<string | null, number>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(store: RefusalWriter, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  record(refusal: RefusalRecord): void {
    const now = this.#clock.now().getTime();
    let id = groupId(refusal, refusal.certificate?.fingerprint ?? refusal.remoteAddress);
    let pending = this.#pending.get(id);
    if (pending === undefined && this.#isFull(refusal.accountId)) {
      id = groupId(refusal, 'others');
      pending = this.#pending.get(id);
    }
    if (pending !== undefined) {
      Object.assign(pending, refusal, { lastSeen: now, count: pending.count + 1 });
    } else {
      this.#pending.set(id, { ...refusal, id, firstSeen: now, lastSeen: now, count: 1 });
      this.#perAccount.set(refusal.accountId, (this.#perAccount.get(refusal.accountId) ?? 0) + 1);
    }
    if (this.#timer === null) {
      this.#timer = setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
      this.#timer.unref();
    }
  }

  /** Resolves when everything recorded so far is in the store, or its loss is in the log. Never rejects. */
  flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const groups = [...this.#pending.values()];
    this.#pending = new Map();
    this.#perAccount = new Map();
    if (groups.length > 0) {
      this.#writing = this.#writing
        .then(() => this.#store.add(groups))
        .catch((error: unknown) =>
          this.#logger.error({ err: error, groups: groups.length }, 'refusals were not recorded'),
        );
    }
    return this.#writing;
  }

  #isFull(accountId: string | null): boolean {
    return this.#pending.size >= MAX_PENDING || (this.#perAccount.get(accountId) ?? 0) >= MAX_PENDING_PER_ACCOUNT;
  }
}

function groupId(refusal: RefusalRecord, client: string): string {
  return createHash('sha256')
    .update(JSON.stringify([refusal.accountId, refusal.reason, client]))
    .digest('hex')
    .slice(0, 32);
}
