import type { IncomingHttpHeaders } from 'node:http';
import {
  LOG_QUERY,
  LOG_TOKEN_HEADER,
  LOG_TOKEN_LIFETIME_MS,
  logErrors,
  logKey,
  SallyportError,
  taskLogAbstractions,
} from '@sallyport/protocol';
import { mayEdit, type Principal } from '../access/principal.ts';
import type { Clock } from '../clock.ts';
import type { AgentCaller, AgentRequest } from '../delegates/agent-authentication.ts';
import type { PinnedDelegates } from '../delegates/pinned-delegates.ts';
import { type AccountBirths, ownerOf } from './account-births.ts';
import type { ActiveTokens } from './active-tokens.ts';
import { covers, type LinkGrant, type LogGrant, type LogSeals } from './log-seals.ts';

const ACCOUNT_IDENTIFIER = /^[A-Za-z0-9_-]{1,64}$/;

export interface LogRequest {
  readonly socket: object;
  readonly headers: IncomingHttpHeaders;
  readonly query: Readonly<Record<string, unknown>>;
  /** The log token of a form in the body, if that is what the body is. */
  readonly formToken: string | null;
}

/** Somebody who may use the logs of an account. */
export interface LogCaller {
  readonly accountId: string;
  readonly accountCreatedAt: number;
  /** What the account's logs are stored under. */
  readonly owner: string;
  /** Keys that it may use: this one and those below it; empty: all of the account. */
  readonly under: string;
  /** Who holds the token; null for an API key. */
  readonly grant: LogGrant | null;
  readonly principal: Principal | null;
}

export interface LogAuthenticationParts {
  readonly seals: LogSeals;
  readonly births: AccountBirths;
  readonly verifier: LogTokenVerifier;
  readonly apiKeys: { authenticate(key: string): Promise<Principal> };
  /** The second door, with `verifier` in the place of the delegates' tokens, and the account's limits behind it. */
  readonly door: { authenticate(request: AgentRequest): Promise<AgentCaller> };
  readonly pinned: Pick<PinnedDelegates, 'admit'>;
  readonly clock: Clock;
}

/** What stands where a delegate's JWE stands: the log token. Given to the second door, so that all its verdicts count. */
export class LogTokenVerifier {
  readonly #seals: LogSeals;
  readonly #births: AccountBirths;
  readonly #activeTokens: ActiveTokens;
  readonly #clock: Clock;

  constructor({
    seals,
    births,
    activeTokens,
    clock,
  }: {
    seals: LogSeals;
    births: AccountBirths;
    activeTokens: ActiveTokens;
    clock: Clock;
  }) {
    this.#seals = seals;
    this.#births = births;
    this.#activeTokens = activeTokens;
    this.#clock = clock;
  }

  /** Resolves when the token, or the content of a link, is one of the account's and still good. */
  async verify(accountId: string, text: string | undefined): Promise<string> {
    const grant = this.read(text ?? '');
    if (grant === null || grant.accountId !== accountId) throw notPermitted(accountId);
    if ((await this.#births.of(accountId)) !== grant.accountCreatedAt) throw notPermitted(accountId);
    const { delegate } = grant;
    if (delegate === undefined) return '';
    // A revoked delegate token takes the log tokens along that came with its tasks.
    if (!(await this.#activeTokens.has(accountId, delegate.tokenId))) throw notPermitted(accountId);
    return delegate.tokenId;
  }

  read(text: string): LogGrant | LinkGrant | null {
    const now = this.#clock.now().getTime();
    return this.#seals.readToken(text, now) ?? this.#seals.readLink(text, now);
  }
}

/** Who calls the log service. Throws SallyportError: 400 with the texts that clients know, or what the second door says. */
export class LogAuthentication {
  readonly #parts: LogAuthenticationParts;

  constructor(parts: LogAuthenticationParts) {
    this.#parts = parts;
  }

  /** A token for the account's task, for the delegate that takes it. */
  async taskToken(accountId: string, taskId: string, delegate: { id: string; tokenId: string }): Promise<string> {
    return this.#token(accountId, logKey(taskLogAbstractions(taskId)), delegate);
  }

  /** For whoever may manage the account, and who that is. Throws INVALID_REQUEST for others. */
  async accountToken(request: LogRequest): Promise<{ token: string; accountId: string; principal: Principal }> {
    const accountId = accountOf(request);
    const key = request.headers['x-api-key'];
    if (typeof key !== 'string' || key === '') {
      throw refusal(tokenOf(request) === null ? logErrors.noTokenOrKey : logErrors.tokenNotForTokens);
    }
    const principal = await this.#principal(key, accountId, logErrors.keyNotForTokens);
    if (!mayEdit(principal)) throw refusal(logErrors.keyNotForTokens);
    if ((await this.#parts.births.of(accountId)) === null) throw refusal(logErrors.keyNotForTokens);
    return { token: await this.#token(accountId, ''), accountId, principal };
  }

  /** Holders of a log token of the account. */
  async writer(request: LogRequest): Promise<LogCaller> {
    const accountId = accountOf(request);
    const token = tokenOf(request);
    if (token === null) throw refusal(logErrors.noToken);
    return this.#withToken(request, accountId, token);
  }

  /** Holders of a log token, and of any API key, of the account; operators. */
  async reader(request: LogRequest): Promise<LogCaller> {
    const accountId = accountOf(request);
    const token = tokenOf(request);
    if (token !== null) return this.#withToken(request, accountId, token);
    const key = request.headers['x-api-key'];
    if (typeof key !== 'string' || key === '') throw refusal(logErrors.noTokenOrKey);
    return this.#withKey(accountId, await this.#principal(key, accountId, logErrors.notPermitted(accountId)));
  }

  /** Rejects when who was admitted as a reader may not any more; which connections the account accepts, the gateway sees to. */
  async recheck(request: LogRequest): Promise<void> {
    const accountId = accountOf(request);
    const token = tokenOf(request);
    if (token !== null) {
      await this.#parts.verifier.verify(accountId, token);
      return;
    }
    const principal = await this.#principal(
      String(request.headers['x-api-key']),
      accountId,
      logErrors.notPermitted(accountId),
    );
    await this.#withKey(accountId, principal);
  }

  /** Holders of an admin key of the account; operators. */
  async admin(request: LogRequest): Promise<LogCaller> {
    const accountId = accountOf(request);
    const key = request.headers['x-api-key'];
    if (typeof key !== 'string' || key === '') throw refusal(logErrors.noTokenOrKey);
    const principal = await this.#principal(key, accountId, logErrors.notPermitted(accountId));
    if (!mayEdit(principal)) throw notPermitted(accountId);
    return this.#withKey(accountId, principal);
  }

  /**
   * Whoever holds a link that we signed for this method. One that was made for a log token goes through the second door
   * like the token itself: a link taken out of a STRICT account's network does not work from a plain connection.
   */
  async link(request: LogRequest, method: LinkGrant['method'], what: LinkGrant['what']): Promise<LogCaller> {
    const { grant: text, accountID } = request.query;
    const { seals, births, clock } = this.#parts;
    const link = typeof text === 'string' ? seals.readLink(text, clock.now().getTime()) : null;
    if (link === null || link.method !== method || link.what !== what || link.accountId !== accountID) {
      throw refusal(
        'the link is not one of ours or was edited, is for another method, or is more than an hour old; ask for a new one',
      );
    }
    const { accountId, accountCreatedAt } = link;
    if (link.agent) await this.#throughDoor(request, accountId, String(text), link.delegate);
    else if ((await births.of(accountId)) !== accountCreatedAt) throw notPermitted(accountId);
    const owner = ownerOf(accountId, accountCreatedAt);
    return { accountId, accountCreatedAt, owner, under: link.key, grant: null, principal: null };
  }

  async #withToken(request: LogRequest, accountId: string, token: string): Promise<LogCaller> {
    const { seals, clock } = this.#parts;
    const grant = seals.readToken(token, clock.now().getTime());
    // Of another kind, such as a link: the door must not take it for a token.
    if (grant === null) {
      await this.#throughDoor(request, accountId, '', undefined);
      throw notPermitted(accountId);
    }
    await this.#throughDoor(request, accountId, token, grant.delegate);
    const { accountCreatedAt, under } = grant;
    const owner = ownerOf(accountId, accountCreatedAt);
    return { accountId, accountCreatedAt, owner, under, grant, principal: null };
  }

  async #throughDoor(
    { socket }: LogRequest,
    accountId: string,
    text: string,
    delegate: LogGrant['delegate'],
  ): Promise<void> {
    const { door, pinned } = this.#parts;
    const caller = await door.authenticate({ socket, headers: { authorization: text }, accountId });
    if (delegate !== undefined) await pinned.admit(caller, { ids: [delegate.id], names: [] });
  }

  async #withKey(accountId: string, principal: Principal): Promise<LogCaller> {
    const accountCreatedAt = await this.#parts.births.of(accountId);
    if (accountCreatedAt === null) throw notPermitted(accountId);
    const owner = ownerOf(accountId, accountCreatedAt);
    return { accountId, accountCreatedAt, owner, under: '', grant: null, principal };
  }

  /** The key's holder, who belongs to the account or is an operator; or the refusal. */
  async #principal(key: string, accountId: string, text: string): Promise<Principal> {
    let principal: Principal;
    try {
      principal = await this.#parts.apiKeys.authenticate(key);
    } catch (error) {
      if (error instanceof SallyportError && error.status === 401) throw refusal(text, error);
      throw error;
    }
    if (principal.kind !== 'operator' && principal.accountId !== accountId) throw refusal(text);
    return principal;
  }

  async #token(accountId: string, under: string, delegate?: { id: string; tokenId: string }): Promise<string> {
    const { births, seals, clock } = this.#parts;
    const accountCreatedAt = await births.of(accountId);
    if (accountCreatedAt === null) throw notPermitted(accountId);
    const expiresAt = clock.now().getTime() + LOG_TOKEN_LIFETIME_MS;
    return seals.token({ accountId, accountCreatedAt, under, expiresAt, ...(delegate !== undefined && { delegate }) });
  }
}

/** Throws for a key that the caller's token is not for. */
export function admitKey({ under, accountId }: LogCaller, key: string): void {
  if (!covers({ under }, key)) throw notPermitted(accountId);
}

function accountOf({ query }: LogRequest): string {
  const { accountID } = query;
  if (accountID === undefined || accountID === '') throw refusal(logErrors.noAccount);
  if (typeof accountID !== 'string' || !ACCOUNT_IDENTIFIER.test(accountID)) {
    throw notPermitted(String(accountID).slice(0, 80));
  }
  return accountID;
}

function tokenOf({ headers, query, formToken }: LogRequest): string | null {
  const given = [headers[LOG_TOKEN_HEADER], query[LOG_QUERY.token], formToken];
  return given.find((text): text is string => typeof text === 'string' && text !== '') ?? null;
}

function notPermitted(accountId: string): SallyportError {
  return refusal(logErrors.notPermitted(accountId));
}

function refusal(text: string, cause?: unknown): SallyportError {
  return new SallyportError('INVALID_REQUEST', text, {
    ...(cause !== undefined && { cause }),
    remedy: 'Send a log token of this account in X-Harness-Token, or, for reading, an API key of it in x-api-key.',
  });
}
