import { nextDeadline } from '@sallyport/trust';
import type { Clock } from '../clock.ts';
import type { LiveEndpoint } from '../endpoints/trust-directory.ts';

/** The clock of a machine may jump, and a timer does not notice: so often it is asked whether the moment has come. */
const LOOK_EVERY_MS = 15_000;

/**
 * The moments at which a policy refuses clients that it has admitted, without anybody changing it: a CRL goes out of use.
 * One timer for each account that has such a moment ahead.
 */
export class PolicyDeadlines {
  readonly #clock: Clock;
  readonly #onDeadline: (accountId: string) => void;
  readonly #ahead = new Map<string, { readonly at: number; readonly timer: NodeJS.Timeout }>();

  constructor(clock: Clock, onDeadline: (accountId: string) => void) {
    this.#clock = clock;
    this.#onDeadline = onDeadline;
  }

  /**
   * To be called with the endpoint that connections of the account were judged by, and when they were. A moment that is
   * nearer stays: this endpoint may be of before the one that named it, and to look once too often costs nothing.
   */
  watch(accountId: string, { policy }: LiveEndpoint, judgedAt: Date): void {
    if (policy.clients.lists.size === 0) return;
    const at = nextDeadline(policy.clients, judgedAt)?.getTime();
    const known = this.#ahead.get(accountId);
    if (at === undefined || (known !== undefined && known.at <= at)) return;
    clearTimeout(known?.timer);
    this.#wait(accountId, at);
  }

  stop(): void {
    for (const { timer } of this.#ahead.values()) clearTimeout(timer);
    this.#ahead.clear();
  }

  #wait(accountId: string, at: number): void {
    const left = at - this.#clock.now().getTime();
    if (left <= 0) {
      this.#ahead.delete(accountId);
      this.#onDeadline(accountId);
      return;
    }
    const timer = setTimeout(() => this.#wait(accountId, at), Math.min(left, LOOK_EVERY_MS));
    this.#ahead.set(accountId, { at, timer: timer.unref() });
  }
}
