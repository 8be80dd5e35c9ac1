import { SallyportError } from '@sallyport/protocol';
import type { FastifyRequest, preHandlerHookHandler } from 'fastify';
import type { TrustDirectory } from '../endpoints/trust-directory.ts';
import type { LiveConnection } from '../gateway/live-connections.ts';
import type { RefusalRecorder } from '../refusals/refusal-recorder.ts';
import { judgePin } from '../revocation/delegate-pins.ts';
import type { AgentCaller } from './agent-authentication.ts';
import { agentOf } from './agent-guard.ts';
import type { DelegateStore } from './delegate-store.ts';
import type { Presence } from './presence.ts';

export interface PinnedDelegatesParts {
  readonly directory: TrustDirectory;
  readonly delegates: DelegateStore;
  readonly presence: Presence;
  readonly refusals: RefusalRecorder;
}

/** The delegates that a request speaks for, by id or by the name that they register under. */
export interface SpokenFor {
  readonly ids: readonly string[];
  readonly names: readonly string[];
}

/** Names remembered with a connection, so that a later pin cuts it; a request for another one is judged all the same. */
const MOST_NAMES = 64;

/** Sees to it that a delegate which is pinned to its certificate comes with no other one, and never without. */
export class PinnedDelegates {
  readonly #parts: PinnedDelegatesParts;

  constructor(parts: PinnedDelegatesParts) {
    this.#parts = parts;
  }

  /**
   * When it resolves, none of the delegates is pinned to another certificate than the connection's, and a pin that comes
   * later finds the connection. Throws IDENTITY_NOT_ALLOWED; that is recorded for the account.
   */
  async admit(caller: AgentCaller, { ids, names }: SpokenFor): Promise<void> {
    for (const name of names) await this.#judge(caller, name);
    for (const id of ids) {
      const name = await this.#nameOf(caller.accountId, id);
      if (name !== null) await this.#judge(caller, name);
    }
  }

  /** True when `admit` has nothing to ask and nothing to do: nobody is pinned, and the connection spoke for all of them before. */
  recall({ accountId, connection }: AgentCaller, { ids, names }: SpokenFor): boolean {
    const { directory, presence } = this.#parts;
    const endpoint = directory.recall(accountId);
    if (endpoint === undefined || (endpoint !== null && endpoint.policy.pins.size > 0)) return false;
    const spoken = connection.delegates.get(accountId);
    if (spoken === undefined) return names.length === 0 && ids.length === 0;
    const nameOf = (id: string) => presence.get(accountId, id)?.name;
    return names.every((name) => spoken.has(name)) && ids.every((id) => spoken.has(nameOf(id) ?? ''));
  }

  /** Null for one that is not registered: whatever is asked for it is refused for that. */
  async #nameOf(accountId: string, id: string): Promise<string | null> {
    const { directory, presence, delegates } = this.#parts;
    const present = presence.get(accountId, id);
    if (present !== undefined) return present.name;
    const endpoint = await directory.byAccount(accountId);
    if (endpoint === null || endpoint.policy.pins.size === 0) return null;
    return (await delegates.find(accountId, id))?.name ?? null;
  }

  async #judge({ accountId, connection }: AgentCaller, name: string): Promise<void> {
    const { directory, refusals } = this.#parts;
    const { identity, socket } = connection;
    // Remembered first, judged second: a pin made in between then finds the connection and cuts it.
    const forget = remember(connection, accountId, name);
    const endpoint = await directory.byAccount(accountId);
    const refused = endpoint === null ? null : judgePin(endpoint.policy.pins, name, identity);
    if (refused === null) return;
    forget();
    refusals.record({
      accountId,
      ...refused,
      serverName: identity.serverName,
      remoteAddress: socket.remoteAddress ?? 'unknown',
      certificate: identity.listener === 'mtls' ? identity.certificate : null,
    });
    throw new SallyportError('IDENTITY_NOT_ALLOWED', refused.message, { remedy: refused.remedy });
  }
}

function remember({ delegates }: LiveConnection, accountId: string, name: string): () => void {
  const names = delegates.get(accountId) ?? new Set();
  if (names.has(name) || names.size >= MOST_NAMES) return () => undefined;
  delegates.set(accountId, names.add(name));
  return () => void names.delete(name);
}

/** Runs in front of every route with access `agent`, whatever it does: whoever is named anywhere in the request counts. */
export function pinGuard(pinned: PinnedDelegates): preHandlerHookHandler {
  return (request, _reply, done) => {
    const [caller, spoken] = [agentOf(request), spokenFor(request)];
    if (pinned.recall(caller, spoken)) return done();
    void pinned.admit(caller, spoken).then(() => done(), done);
  };
}

export function spokenFor({ params, query, body }: Pick<FastifyRequest, 'params' | 'query' | 'body'>): SpokenFor {
  const ids: string[] = [];
  for (const id of [
    text(params, 'delegateId'),
    text(query, 'delegateId'),
    text(query, 'runnerId'),
    text(body, 'delegateId'),
  ]) {
    if (id !== null && !ids.includes(id)) ids.push(id);
  }
  const name = text(body, 'delegateName') ?? text(body, 'hostName');
  return { ids, names: name === null ? [] : [name] };
}

function text(holder: unknown, key: string): string | null {
  if (typeof holder !== 'object' || holder === null) return null;
  const value = (holder as Record<string, unknown>)[key];
  return typeof value === 'string' && value !== '' ? value : null;
}
