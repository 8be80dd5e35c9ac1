import type { FastifyRequest } from 'fastify';
import type { AgentAuthentication, AgentCaller } from './agent-authentication.ts';

declare module 'fastify' {
  interface FastifyRequest {
    agent?: AgentCaller;
  }
}

/** The guard of routes with access `agent`: both doors passed, or SallyportError 401. */
export function agentGuard(authentication: Pick<AgentAuthentication, 'authenticate'>) {
  return async (request: FastifyRequest): Promise<void> => {
    const { accountId } = request.query as { accountId?: unknown };
    request.agent = await authentication.authenticate({
      socket: request.raw.socket,
      headers: request.headers,
      accountId: typeof accountId === 'string' ? accountId : undefined,
    });
  };
}

/** The delegate behind an `agent` route. Throws when the route declares another access: a mistake of ours. */
export function agentOf(request: FastifyRequest): AgentCaller {
  if (request.agent === undefined) throw new Error(`${request.routeOptions.url} has no agent guard`);
  return request.agent;
}
