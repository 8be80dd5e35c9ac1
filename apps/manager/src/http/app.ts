import { randomUUID } from 'node:crypto';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifySchema,
  type FastifyServerOptions,
  fastify,
  LogController,
  type onRequestHookHandler,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify';
import type { Logger } from 'pino';
import { Type } from 'typebox';
import { type Access, type AccessDependencies, guardRoute } from './access.ts';
import { answerError, answerNotFound } from './error-answers.ts';
import { harmlessJson } from './json-body.ts';
import { OPENAPI, requireDescription } from './openapi.ts';
import { serializerCompiler } from './serialization.ts';
import { validatorCompiler } from './validation.ts';

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface DeclaredRoute {
  readonly method: string;
  readonly url: string;
  readonly access: Access;
  readonly schema: FastifySchema;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route of the app, for tests that have to see all of them. */
    declaredRoutes: DeclaredRoute[];
  }
}

export interface AnsweredRequest {
  /** The route's template, never what a client made up; undefined when there is no route. */
  readonly route: string | undefined;
  readonly method: string;
  readonly status: number;
  readonly milliseconds: number;
}

/** Declares routes on the app. Every route has `config.access`, `schema.summary` and a success in `schema.response`. */
export type Registration = (app: App) => void;

export interface AppOptions extends AccessDependencies {
  readonly logger: Logger;
  /** The sockets' own server, when it is not Fastify that listens. */
  readonly server?: Pick<FastifyServerOptions, 'serverFactory' | 'forceCloseConnections' | 'keepAliveTimeout'>;
  /** Runs before authentication on every request, those without a route included. */
  readonly beforeAuthentication?: onRequestHookHandler;
  /** Hears of every request when it was answered, those without a route included. */
  readonly onAnswered?: (answered: AnsweredRequest) => void;
  /** Bytes of a request body, unless a route says otherwise. */
  readonly bodyLimit?: number;
}

const BODY_LIMIT = 256 * 1024;
const GATEWAY_PREFIX = '/gateway';

/**
 * The management and agent API as one Fastify app, ready to `inject()` or to be given connections. Rejects when a route
 * declares no access, no summary or no response.
 */
export async function buildApp(options: AppOptions, ...register: readonly Registration[]): Promise<App> {
  const app: App = fastify({
    ...options.server,
    loggerInstance: itsOwnChild(options.logger),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyLimit ?? BODY_LIMIT,
    // Nothing stands between the client and us that could be believed: addresses and ids from headers are ignored.
    trustProxy: false,
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    exposeHeadRoutes: false,
    rewriteUrl: ({ url = '/' }) => (url.startsWith(`${GATEWAY_PREFIX}/`) ? url.slice(GATEWAY_PREFIX.length) : url),
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(answerNotFound);
  acceptEmptyJsonBodies(app);
  app.decorateRequest('principal', null);
  app.decorateRequest('account', null);
  app.decorateRequest('logCaller', null);
  if (options.beforeAuthentication !== undefined) app.addHook('onRequest', options.beforeAuthentication);
  tellOfAnswers(app, options);
  app.decorate('declaredRoutes', []);
  app.addHook('onRoute', (route) => {
    const access = guardRoute(route, options);
    const schema = requireDescription(route);
    for (const method of [route.method].flat()) app.declaredRoutes.push({ method, url: route.url, access, schema });
  });

  await app.register(swagger, OPENAPI);
  app.get(
    '/openapi.json',
    {
      config: { access: 'public' },
      schema: { summary: 'This description', response: { 200: Type.Record(Type.String(), Type.Unknown()) } },
    },
    async () => app.swagger() as unknown as Record<string, unknown>,
  );
  for (const declare of register) declare(app);
  await app.ready();
  return app;
}

/** Existing clients send `Content-Type: application/json` with calls that have no body; Fastify alone answers those 400. */
function acceptEmptyJsonBodies(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, null);
    const harmless = harmlessJson(body);
    if (harmless === undefined) void parse(request, body, done);
    else done(null, harmless);
  });
}

/**
 * A child logger for each request would cost an eighth of a heartbeat, for a line that is hardly ever written. Whoever
 * writes one names the correlation id. (A childLoggerFactory of our own would be checked anew at each request.)
 */
function itsOwnChild(logger: FastifyBaseLogger): FastifyBaseLogger {
  const child = {
    value(this: FastifyBaseLogger) {
      return this;
    },
  };
  return Object.create(logger, { child }) as FastifyBaseLogger;
}

/** One line a request when it is answered: the route, never the body, the headers or the query. */
function tellOfAnswers(app: App, { logger, onAnswered }: AppOptions): void {
  app.addHook('onResponse', (request, reply, done) => {
    // Made anew by Fastify each time it is asked for, as the time is.
    const { url: route, config } = request.routeOptions;
    const said = { method: request.method, route, status: reply.statusCode };
    const milliseconds = reply.elapsedTime;
    onAnswered?.({ ...said, milliseconds });
    const changes = request.method !== 'GET' && config.access !== 'agent' && config.access !== 'public';
    if (changes || logger.isLevelEnabled('debug')) {
      logger[changes ? 'info' : 'debug'](
        {
          ...{ correlationId: request.id, ...said, ms: Math.round(milliseconds) },
          ...(request.principal !== null && { key: request.principal.keyId }),
          ...(request.account !== null && { account: request.account }),
        },
        'request',
      );
    }
    done();
  });
}
