import type { AccountLimits } from '../gateway/account-limits.ts';
import type { Penalty } from '../gateway/penalty.ts';
import type { AgentAuthentication, AgentCaller, AgentRequest } from './agent-authentication.ts';

/**
 * The second door, and then the account's bounds. In this order: whoever has no token of an account must not be able to
 * use up what its delegates may have.
 */
export class LimitedAgentAuthentication implements Pick<AgentAuthentication, 'authenticate'> {
  readonly #door: Pick<AgentAuthentication, 'authenticate'>;
  readonly #limits: AccountLimits;
  readonly #penalty: Penalty;

  constructor(door: Pick<AgentAuthentication, 'authenticate'>, limits: AccountLimits, penalty: Penalty) {
    this.#door = door;
    this.#limits = limits;
    this.#penalty = penalty;
  }

  /** As the door's; throws TOO_MANY_REQUESTS, after a while, for an account at its limit. */
  async authenticate(request: AgentRequest): Promise<AgentCaller> {
    const caller = await this.#door.authenticate(request);
    const { socket } = caller.connection;
    const tooMany = this.#limits.connect(caller.accountId, socket) ?? this.#limits.request(caller.accountId);
    if (tooMany !== null) return this.#penalty.serve(socket, tooMany);
    return caller;
  }
}
