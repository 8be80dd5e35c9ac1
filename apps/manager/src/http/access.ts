import { type ErrorCode, SallyportError } from '@sallyport/protocol';
import type {
  FastifyReply,
  FastifyRequest,
  onRequestAsyncHookHandler,
  onRequestHookHandler,
  preHandlerHookHandler,
  RouteOptions,
} from 'fastify';
import type { Principal } from '../access/principal.ts';
import { namedAccount } from './named-account.ts';

/**
 * Who may call a route:
 * - `public`: anybody. `agent`: a delegate with a token of its account.
 * - `any-key`: any valid API key; no account is looked at.
 * - `account-viewer`, `account-admin`: a key of the named account with at least that role, or an operator.
 * - `operator`: operator keys.
 * - `log-…`: holders of a log token (`log-writer`), of that or of an API key of the account (`log-reader`), of an admin key
 *   (`log-admin`), or of a link that we signed (`log-link`). They name the account in `accountID`.
 */
export type Access = 'public' | 'agent' | 'any-key' | 'account-viewer' | 'account-admin' | 'operator' | LogAccess;

export type LogAccess = 'log-writer' | 'log-reader' | 'log-admin' | 'log-link';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route declares it; one without stops the start. */
    access?: Access;
    /** With `account-…` access: a request that names no account is an operator's, about no account. */
    account?: 'optional';
    /** Code of the 403, for routes whose clients expect another one than ACCESS_DENIED. */
    denial?: Extract<ErrorCode, 'ACCESS_DENIED' | 'NG_ACCESS_DENIED'>;
  }
  interface FastifyRequest {
    principal: Principal | null;
    account: string | null;
  }
}

export interface AccessDependencies {
  readonly apiKeys: {
    /** Throws SallyportError 401 for a key that is not valid. */
    authenticate(key: string): Promise<Principal>;
  };
  readonly accounts: { exists(accountId: string): Promise<boolean> };
  /** Guard of the `agent` routes; throws SallyportError. Without one, declaring such a route stops the start. */
  readonly authenticateAgent?: onRequestHookHandler;
  /** Guard of the `log-…` routes. Without one, declaring such a route stops the start. */
  readonly authenticateLogs?: (access: LogAccess) => onRequestAsyncHookHandler;
  /** As `authenticateAgent`, once the request is read: may the caller speak for the delegates that it names? */
  readonly admitDelegate?: preHandlerHookHandler;
}

/**
 * Puts the guard that a route declares in front of everything else of it, and returns the declaration. Throws for a route that declares none: a
 * forgotten declaration has to fail at the start, not to open the route to everybody.
 */
export function guardRoute(route: RouteOptions, dependencies: AccessDependencies): Access {
  const access = route.config?.access;
  const name = `${String(route.method)} ${route.url}`;
  if (access === undefined) throw new Error(`${name} declares no access: give it config.access (see http/access.ts).`);
  if (access === 'public') return access;
  const { admitDelegate } = dependencies;
  const guard = isLogAccess(access)
    ? dependencies.authenticateLogs?.(access)
    : access === 'agent'
      ? dependencies.authenticateAgent
      : keyGuard(route, access, dependencies);
  if (guard === undefined || (access === 'agent' && admitDelegate === undefined)) {
    const kind = isLogAccess(access) ? 'log' : 'agent';
    throw new Error(`${name} is for ${access}, but no ${kind} authentication was given to the app.`);
  }
  const own = route.onRequest === undefined ? [] : [route.onRequest].flat();
  route.onRequest = [guard, ...own] as onRequestHookHandler[];
  if (access === 'agent') {
    const handlers = route.preHandler === undefined ? [] : [route.preHandler].flat();
    route.preHandler = [admitDelegate, ...handlers] as preHandlerHookHandler[];
  }
  return access;
}

type KeyAccess = Exclude<Access, 'public' | 'agent' | LogAccess>;

function isLogAccess(access: Access): access is LogAccess {
  return access.startsWith('log-');
}

/**
 * When it passes, `request.principal` may do this to `request.account`, which exists (or is null where the route
 * allows that). Runs before the body is read, so that a stranger cannot make us parse one.
 */
function keyGuard(route: RouteOptions, access: KeyAccess, { apiKeys, accounts }: AccessDependencies) {
  const accountOptional = route.config?.account === 'optional';
  const denial = route.config?.denial ?? 'ACCESS_DENIED';

  return async function guard(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    // Answers may hold keys and tokens: no cache on the way keeps them.
    reply.header('cache-control', 'no-store');
    const key = request.headers['x-api-key'];
    if (typeof key !== 'string' || key === '') {
      throw new SallyportError('INVALID_TOKEN', 'No API key was sent.', {
        remedy: 'Send an API key in the header x-api-key.',
      });
    }
    const principal = await apiKeys.authenticate(key);
    request.principal = principal;
    if (access === 'any-key') return;

    const account = namedAccount(request);
    request.account = account;
    const needed = access === 'operator' || (account === null && accountOptional) ? 'operator' : access;
    if (needed !== 'operator' && account === null) {
      throw new SallyportError('INVALID_REQUEST', 'Account detail is not present in the request', {
        remedy: 'Name the account in the query parameter accountIdentifier.',
      });
    }
    if (!allows(principal, needed, account)) throw new SallyportError(denial, explain(principal, needed, account));
    // Keys of an account go with it; an operator may name one that is not there.
    if (account !== null && principal.kind === 'operator' && !(await accounts.exists(account))) {
      throw new SallyportError('ENTITY_NOT_FOUND', `Account '${account}' was not found.`);
    }
  };
}

function allows(principal: Principal, needed: Exclude<KeyAccess, 'any-key'>, account: string | null): boolean {
  if (principal.kind === 'operator') return true;
  if (needed === 'operator' || principal.accountId !== account) return false;
  return needed === 'account-viewer' || principal.kind === 'account-admin';
}

function explain(principal: Principal, needed: KeyAccess, account: string | null): string {
  if (needed === 'operator')
    return `This needs an operator key; the key "${principal.name}" is an ${principal.kind} key.`;
  if (principal.accountId !== account) {
    return `The API key "${principal.name}" belongs to another account than '${account}'.`;
  }
  return `This needs an ${needed} key; the key "${principal.name}" is an ${principal.kind} key.`;
}

/** The caller behind a route that takes API keys. Throws when the route declares another access: a mistake of ours. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === null) throw new Error(`${request.routeOptions.url} has no API key guard`);
  return request.principal;
}

/** The account that the caller was authorised for, and the only one that a route may act on. */
export function accountOf(request: FastifyRequest): string {
  if (request.account === null) throw new Error(`${request.routeOptions.url} was called without an account`);
  return request.account;
}
