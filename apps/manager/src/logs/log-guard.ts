import type { FastifyRequest } from 'fastify';
import type { LogAccess } from '../http/access.ts';
import type { LogAuthentication, LogCaller } from './log-authentication.ts';
import { LINKED_ARCHIVE, logRequestOf } from './request-values.ts';

/** The guards of the log service's routes: when one passes, `request.logCaller` may use the logs of its account. */
export function logGuard(authentication: LogAuthentication) {
  return (access: LogAccess) => {
    return async (request: FastifyRequest): Promise<void> => {
      request.logCaller = await admit(authentication, access, request);
      request.account = request.logCaller.accountId;
      request.principal = request.logCaller.principal;
    };
  };
}

function admit(authentication: LogAuthentication, access: LogAccess, request: FastifyRequest): Promise<LogCaller> {
  const asked = logRequestOf(request);
  switch (access) {
    case 'log-writer':
      return authentication.writer(asked);
    case 'log-reader':
      return authentication.reader(asked);
    case 'log-admin':
      return authentication.admin(asked);
    case 'log-link':
      return authentication.link(
        asked,
        request.method === 'PUT' ? 'PUT' : 'GET',
        request.routeOptions.url?.endsWith(LINKED_ARCHIVE) ? 'archive' : 'blob',
      );
  }
}
