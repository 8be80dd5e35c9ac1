import type { AccountLimits } from '../gateway/account-limits.ts';
import type { Penalty } from '../gateway/penalty.ts';
import type { AgentCaller, AgentDoor, AgentRequest } from './agent-authentication.ts';

/**
 * The second door, and then the account's bounds. In this order: whoever has no token of an account must not be able to
 * use up what its delegates may have.
 */
export class LimitedAgentAuthentication implements AgentDoor {
  readonly #door: AgentDoor;
  readonly #limits: AccountLimits;
  readonly #penalty: Penalty;

  constructor(door: AgentDoor, limits: AccountLimits, penalty: Penalty) {
    this.#door = door;
    this.#limits = limits;
    this.#penalty = penalty;
  }

  /** As the door's; throws TOO_MANY_REQUESTS, after a while, for an account at its limit. */
  async authenticate(request: AgentRequest): Promise<AgentCaller> {
    const caller = await this.#door.authenticate(request);
    const { accountId, connection } = caller;
    const tooMany = this.#limits.connect(accountId, connection.socket) ?? this.#limits.request(accountId);
    return tooMany === null ? caller : this.#penalty.serve(caller.connection.socket, tooMany);
  }

  /** As the door's; null for an account at its limit, too. */
  recall(request: AgentRequest): AgentCaller | null {
    const caller = this.#door.recall(request);
    return caller !== null && this.isWithin(caller) ? caller : null;
  }

  /** Counts one more request of the account's delegates. False: it is one too many, and for `authenticate` to refuse. */
  isWithin({ accountId, connection }: AgentCaller): boolean {
    return this.#limits.admits(accountId, connection.socket);
  }
}
