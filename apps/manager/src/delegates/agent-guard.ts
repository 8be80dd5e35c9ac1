import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import type { AgentCaller, AgentDoor } from './agent-authentication.ts';

declare module 'fastify' {
  interface FastifyRequest {
    agent?: AgentCaller;
  }
}

/** The guard of routes with access `agent`: both doors passed, or SallyportError 401. */
export function agentGuard(door: AgentDoor): onRequestHookHandler {
  return (request, _reply, done) => {
    const { accountId } = request.query as { accountId?: unknown };
    const asked = {
      socket: request.raw.socket,
      headers: request.headers,
      accountId: typeof accountId === 'string' ? accountId : undefined,
    };
    const passed = (caller: AgentCaller) => {
      request.agent = caller;
      done();
    };
    // Nearly every request is one that memory can say yes to; each turn that is waited for costs more than asking it.
    const known = door.recall(asked);
    if (known !== null) return passed(known);
    void door.authenticate(asked).then(passed, done);
  };
}

/** The delegate behind an `agent` route. Throws when the route declares another access: a mistake of ours. */
export function agentOf(request: FastifyRequest): AgentCaller {
  if (request.agent === undefined) throw new Error(`${request.routeOptions.url} has no agent guard`);
  return request.agent;
}
