import { LOG_QUERY, logErrors, logPaths, SallyportError } from '@sallyport/protocol';
import type { FastifyRequest } from 'fastify';
import type { LogAccess } from '../http/access.ts';
import { formTokenOf } from './form-token.ts';
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

async function admit(
  authentication: LogAuthentication,
  access: LogAccess,
  request: FastifyRequest,
): Promise<LogCaller> {
  if (request.routeOptions.url?.endsWith(logPaths.archive)) refuseMissing(request);
  const asked = logRequestOf(request, await formTokenOf(request));
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

/** Archives are the one place where what is missing is a 404, for whoever asks. */
function refuseMissing({ query }: FastifyRequest): void {
  const { [LOG_QUERY.account]: account, [LOG_QUERY.prefix]: prefix } = query as Record<string, unknown>;
  if (account === undefined || account === '') throw new SallyportError('ENTITY_NOT_FOUND', logErrors.noAccount);
  if (prefix === undefined || prefix === '') throw new SallyportError('ENTITY_NOT_FOUND', 'no prefix in query params');
}
