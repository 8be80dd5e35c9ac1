import { LOG_SERVICE, logPaths, SallyportError } from '@sallyport/protocol';
import { Type } from 'typebox';
import { describePrincipal } from '../access/principal.ts';
import type { AuditStore } from '../audit/audit-store.ts';
import type { Clock } from '../clock.ts';
import type { App, Registration } from '../http/app.ts';
import { blobRoutes } from './blob-routes.ts';
import type { LogAuthentication } from './log-authentication.ts';
import { answerLogError } from './log-errors.ts';
import type { LogSeals } from './log-seals.ts';
import type { LogService } from './log-service.ts';
import { logRequestOf } from './request-values.ts';
import { streamRoutes } from './stream-routes.ts';
import type { Tails } from './tails.ts';

export interface LogRoutesParts {
  readonly logs: LogService;
  readonly tails: Tails;
  readonly authentication: LogAuthentication;
  readonly seals: LogSeals;
  readonly audit: AuditStore;
  readonly clock: Clock;
}

/** The log service, below `/log-service`: its own form of errors, and bodies of any content type. */
export function logRoutes({ logs, tails, authentication, seals, audit, clock }: LogRoutesParts): Registration {
  return (app) => {
    app.register(async (scope) => {
      const service = scope as App;
      service.setErrorHandler(answerLogError);
      service.removeAllContentTypeParsers();
      service.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
      // Everything below it that is not served, in its own form of errors.
      service.register(
        (below, _options, done) => {
          below.setNotFoundHandler((request) => {
            const path = request.url.split('?', 1)[0]?.slice(0, 200);
            throw new SallyportError('ENTITY_NOT_FOUND', `there is no ${request.method} ${path} here`);
          });
          done();
        },
        { prefix: LOG_SERVICE },
      );
      streamRoutes(service, logs, tails, authentication);
      blobRoutes(service, logs, seals, audit, clock);
      service.get(
        `${LOG_SERVICE}${logPaths.token}`,
        {
          // Guarded by what makes the token: its refusals have texts of their own.
          config: { access: 'public' },
          schema: {
            summary: 'A log token for the whole account; needs an admin key of it, or an operator key',
            tags: ['log service'],
            querystring: Type.Object({ accountID: Type.Optional(Type.String({ description: 'required' })) }),
            response: { 200: Type.String() },
          },
        },
        async (request, reply) => {
          const { token, accountId, principal } = await authentication.accountToken(logRequestOf(request));
          const actor = describePrincipal(principal);
          await audit.append({ accountId, at: clock.now(), actor, action: 'log-token.created', subject: accountId });
          return reply.header('cache-control', 'no-store').type('text/plain').send(token);
        },
      );
      service.get(
        `${LOG_SERVICE}${logPaths.health}`,
        {
          config: { access: 'public' },
          schema: { summary: 'OK while the process answers', response: { 200: Type.String() } },
        },
        async (_request, reply) => reply.type('text/plain').send('OK'),
      );
      service.get(
        `${LOG_SERVICE}${logPaths.ready}`,
        {
          config: { access: 'public' },
          schema: { summary: 'OK when lines and blobs can be written', response: { 200: Type.String() } },
        },
        async (_request, reply) => {
          await logs.checkReady();
          return reply.type('text/plain').send('OK');
        },
      );
    });
  };
}
