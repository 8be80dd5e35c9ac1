import type { Socket } from 'node:net';
import { SallyportError } from '@sallyport/protocol';
import type { Tally } from '../metrics/tally.ts';
import type { LimitName } from './gateway-counts.ts';
import type { Limits } from './limits.ts';
import { TokenBuckets } from './token-buckets.ts';

/** Seconds after which a client that met a limit may come again. */
export const RETRY_AFTER_SECONDS = 1;

/**
 * What the clients of one account may have and do together, so that one account's flood is its own affair. Counts are
 * kept for accounts that have something open.
 */
export class AccountLimits {
  readonly #limits: Limits;
  readonly #hits: Tally<LimitName>;
  readonly #connections = new Shares();
  readonly #handshakes = new Shares();
  readonly #explanations = new Shares();
  readonly #refusalRate: TokenBuckets;
  readonly #requestRate: TokenBuckets;

  constructor(limits: Limits, hits: Tally<LimitName>, now?: () => number) {
    this.#limits = limits;
    this.#hits = hits;
    this.#refusalRate = new TokenBuckets(limits.accountRefusals, now);
    this.#requestRate = new TokenBuckets(limits.accountRequests, now);
  }

  /** A handshake named the account's endpoint. False: it is to be ended. Counts until `handshakeOver` or its close. */
  beginHandshake(accountId: string, socket: Socket): boolean {
    const { accountHandshakesInFlight } = this.#limits;
    return this.#take(this.#handshakes, accountId, socket, accountHandshakesInFlight, 'account_handshakes_in_flight');
  }

  handshakeOver(accountId: string, socket: Socket): void {
    this.#handshakes.leave(accountId, socket);
  }

  /** May the account's clients be told once more why they are refused? Counts until the connection's close. */
  mayExplain(accountId: string, socket: Socket): boolean {
    if (!this.#refusalRate.take(accountId)) {
      this.#hits.add('account_refusal_rate');
      return false;
    }
    const { accountExplanationsOpen } = this.#limits;
    return this.#take(this.#explanations, accountId, socket, accountExplanationsOpen, 'account_refusal_rate');
  }

  /** Counts the connection as the account's until its close; once, however often it is asked. Null, or why not. */
  connect(accountId: string, socket: Socket): SallyportError | null {
    const { accountConnections } = this.#limits;
    if (this.#take(this.#connections, accountId, socket, accountConnections, 'account_connections')) return null;
    return new SallyportError(
      'TOO_MANY_REQUESTS',
      `The account '${accountId}' has ${accountConnections} connections open, which is its limit.`,
      {
        remedy:
          'Close connections that are not needed, or ask the operator to raise SALLYPORT_LIMIT_ACCOUNT_CONNECTIONS.',
      },
    );
  }

  /** Null when one more request of the account's delegates is within its rate; or why not. */
  request(accountId: string): SallyportError | null {
    if (this.#requestRate.take(accountId)) return null;
    this.#hits.add('account_request_rate');
    const { perSecond } = this.#limits.accountRequests;
    return new SallyportError(
      'TOO_MANY_REQUESTS',
      `The delegates of the account '${accountId}' make more than ${perSecond} requests a second, which is its limit.`,
    );
  }

  /** As `connect` and `request`, for somebody who asks those when this says no: a refusal is counted there. */
  admits(accountId: string, socket: Socket): boolean {
    return (
      this.#connections.join(accountId, socket, this.#limits.accountConnections) && this.#requestRate.take(accountId)
    );
  }

  #take(shares: Shares, accountId: string, socket: Socket, most: number, limit: LimitName): boolean {
    if (shares.join(accountId, socket, most)) return true;
    this.#hits.add(limit);
    return false;
  }
}

/** Sockets by account; a socket that closes leaves by itself. */
class Shares {
  readonly #members = new Map<string, Set<Socket>>();

  join(accountId: string, socket: Socket, most: number): boolean {
    const members = this.#members.get(accountId);
    if (members?.has(socket)) return true;
    // Its 'close' is over: it would be counted for ever.
    if (socket.closed) return true;
    if ((members?.size ?? 0) >= most) return false;
    if (members === undefined) this.#members.set(accountId, new Set([socket]));
    else members.add(socket);
    // It comes once; to be told so, a listener would have to be taken out again, for each connection.
    socket.on('close', () => this.leave(accountId, socket));
    return true;
  }

  leave(accountId: string, socket: Socket): void {
    const members = this.#members.get(accountId);
    members?.delete(socket);
    if (members?.size === 0) this.#members.delete(accountId);
  }
}
