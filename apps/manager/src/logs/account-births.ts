import type { AccountStore } from '../accounts/account-store.ts';
import { boundedCache } from '../bounded-cache.ts';
import type { Bus } from '../bus/bus.ts';

const MAX_ACCOUNTS = 10_000;

/**
 * When accounts were made, kept in memory while nothing was announced about them. What belongs to an account belongs to
 * the one that was made then: an identifier that is given out again begins with nothing.
 */
export class AccountBirths {
  readonly #accounts: AccountStore;
  readonly #bus: Bus;
  readonly #known = boundedCache<string, number>(MAX_ACCOUNTS);
  /** Grows with every announcement: what was being read meanwhile is not kept. */
  #announcements = 0;

  constructor(accounts: AccountStore, bus: Bus) {
    this.#accounts = accounts;
    this.#bus = bus;
    bus.subscribe('trust-changed', ({ accountId }) => {
      this.#announcements += 1;
      this.#known.delete(accountId);
    });
    bus.subscribe('resync', () => {
      this.#announcements += 1;
      this.#known.clear();
    });
  }

  /** Epoch milliseconds; null when there is no such account. */
  async of(accountId: string): Promise<number | null> {
    const known = this.#bus.inStep ? this.#known.get(accountId) : undefined;
    if (known !== undefined) return known;
    const { inStep } = this.#bus;
    const before = this.#announcements;
    const account = await this.#accounts.get(accountId);
    if (account === null) return null;
    if (inStep && this.#bus.inStep && before === this.#announcements) this.#known.set(accountId, account.createdAt);
    return account.createdAt;
  }
}

/** How the owner of logs is named where they are stored. */
export function ownerOf(accountId: string, createdAt: number): string {
  return `${accountId}@${createdAt}`;
}

/** The account that an owner was made for, and when. */
export function accountOfOwner(owner: string): { accountId: string; createdAt: number } {
  const at = owner.lastIndexOf('@');
  return { accountId: owner.slice(0, at), createdAt: Number(owner.slice(at + 1)) };
}
