import { boundedCache } from '../bounded-cache.ts';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';

const MAX_ACCOUNTS = 10_000;
/** A token whose `revokeAfter` passes is announced by nobody. */
const KEPT_FOR_MS = 5_000;

interface Known {
  readonly ids: ReadonlySet<string>;
  readonly until: number;
}

/** Whether a delegate token is still active, asked at every write of a log: from memory while nothing was announced. */
export class ActiveTokens {
  readonly #source: { activeIds(accountId: string): Promise<ReadonlySet<string>> };
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #known = boundedCache<string, Known>(MAX_ACCOUNTS);
  #announcements = 0;

  constructor(source: { activeIds(accountId: string): Promise<ReadonlySet<string>> }, bus: Bus, clock: Clock) {
    this.#source = source;
    this.#bus = bus;
    this.#clock = clock;
    const changed = ({ accountId }: { accountId: string }) => {
      this.#announcements += 1;
      this.#known.delete(accountId);
    };
    bus.subscribe('tokens-changed', changed);
    bus.subscribe('trust-changed', changed);
    bus.subscribe('resync', () => {
      this.#announcements += 1;
      this.#known.clear();
    });
  }

  async has(accountId: string, tokenId: string): Promise<boolean> {
    const now = this.#clock.now().getTime();
    const { inStep } = this.#bus;
    const known = inStep ? this.#known.get(accountId) : undefined;
    if (known !== undefined && now < known.until) return known.ids.has(tokenId);
    const before = this.#announcements;
    const ids = await this.#source.activeIds(accountId);
    if (inStep && this.#bus.inStep && before === this.#announcements) {
      this.#known.set(accountId, { ids, until: now + KEPT_FOR_MS });
    }
    return ids.has(tokenId);
  }
}
