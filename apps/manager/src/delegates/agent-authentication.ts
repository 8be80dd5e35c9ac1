import type { IncomingHttpHeaders } from 'node:http';
import { SallyportError } from '@sallyport/protocol';
import { judgeTransport } from '@sallyport/trust';
import type { TrustDirectory } from '../endpoints/trust-directory.ts';
import type { LiveConnection, LiveConnections } from '../gateway/live-connections.ts';
import { isTokenRefusal } from '../refusals/refusal-reasons.ts';
import type { RefusalRecorder } from '../refusals/refusal-recorder.ts';
import type { Via } from './presence.ts';

/** Says whether a request carries a token of the account. */
export interface TokenVerifier {
  /** The token's id. Throws SallyportError INVALID_TOKEN, EXPIRED_TOKEN or REVOKED_TOKEN. */
  verify(accountId: string, text: string | undefined): Promise<string>;
  /** As `verify`, when that needs no more than memory; null when it does, and for whatever `verify` would refuse. */
  recall?(accountId: string, text: string | undefined): string | null;
  /** Whether there is an account with tokens of this name. */
  knows?(accountId: string): Promise<boolean>;
}

/** A delegate's request that passed both doors. */
export interface AgentCaller {
  readonly accountId: string;
  readonly via: Via;
  readonly connection: LiveConnection;
}

export interface AgentRequest {
  readonly socket: object;
  readonly headers: IncomingHttpHeaders;
  /** From the query `accountId`; the path's where a path has one. */
  readonly accountId: string | undefined;
}

const ACCOUNT_IDENTIFIER = /^[A-Za-z0-9_-]{1,64}$/;

export type AgentDoor = Pick<AgentAuthentication, 'authenticate' | 'recall'>;

/** The second door: which account is this, does it accept this transport, and is the token one of its own? */
export class AgentAuthentication {
  readonly #directory: TrustDirectory;
  readonly #tokens: TokenVerifier;
  readonly #connections: LiveConnections;
  readonly #refusals: RefusalRecorder;
  readonly #urlOf: (fqdn: string) => string;

  /** `urlOf`: where delegates of an endpoint connect to, for the remedy. */
  constructor(
    directory: TrustDirectory,
    tokens: TokenVerifier,
    connections: LiveConnections,
    refusals: RefusalRecorder,
    urlOf: (fqdn: string) => string,
  ) {
    this.#directory = directory;
    this.#tokens = tokens;
    this.#connections = connections;
    this.#refusals = refusals;
    this.#urlOf = urlOf;
  }

  /**
   * Order of the checks as existing clients know it: account, transport, token. The authority is a fact of the
   * connection, proved in its handshake: no header is looked at, so there is none to forge.
   * Throws SallyportError with status 401; what is refused, transport or token, is recorded for the account.
   */
  async authenticate(request: AgentRequest): Promise<AgentCaller> {
    const { socket, accountId } = request;
    if (accountId === undefined || !ACCOUNT_IDENTIFIER.test(accountId)) {
      throw new SallyportError('INVALID_TOKEN', 'Access denied: the request names no account.', {
        remedy: 'Name the account in the query parameter accountId.',
      });
    }
    const connection = this.#connections.of(socket);
    if (connection === undefined) throw new SallyportError('SERVICE_UNAVAILABLE', 'The connection is being closed.');
    // Bound first, judged second: see LiveConnections.bind.
    const release = this.#connections.bind(connection, accountId);
    try {
      return await this.#judge(connection, accountId, request.headers);
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * As `authenticate`, for a request that memory alone can say yes to, on a connection that is tied to the account
   * already. Null for any other: that is for `authenticate` to judge, and to record.
   */
  recall({ socket, accountId, headers }: AgentRequest): AgentCaller | null {
    if (accountId === undefined) return null;
    const connection = this.#connections.of(socket);
    if (connection === undefined || !this.#connections.isBound(connection, accountId)) return null;
    const endpoint = this.#directory.recall(accountId);
    if (endpoint === undefined) return null;
    const { authority } = connection.identity;
    if (!judgeTransport({ endpoint, authority, urlOf: this.#urlOf }).admitted) return null;
    const tokenId = this.#tokens.recall?.(accountId, headers.authorization) ?? null;
    return tokenId === null ? null : callerOn(connection, accountId, tokenId);
  }

  async #judge(connection: LiveConnection, accountId: string, headers: IncomingHttpHeaders): Promise<AgentCaller> {
    const { identity } = connection;
    const endpoint = await this.#directory.byAccount(accountId);
    const verdict = judgeTransport({ endpoint, authority: identity.authority, urlOf: this.#urlOf });
    if (!verdict.admitted) {
      const { reason, message, remedy } = verdict;
      this.#refusals.record({ accountId, reason, message, remedy, ...shownBy(connection) });
      // The verdict's own words name the account's endpoint: they are for whoever holds one of its tokens.
      const known = await this.#tokens.verify(accountId, headers.authorization).then(
        () => true,
        () => false,
      );
      throw new SallyportError(
        'INVALID_AGENT_MTLS_AUTHORITY',
        known ? message : 'Unauthorized: this account does not accept this connection.',
        known ? { remedy, details: { reason } } : {},
      );
    }
    const tokenId = await this.#verify(connection, accountId, headers.authorization, endpoint !== null);
    return callerOn(connection, accountId, tokenId);
  }

  /** As the tokens' `verify`; a refusal is recorded for the account. */
  async #verify(
    connection: LiveConnection,
    accountId: string,
    authorization: string | undefined,
    hasEndpoint: boolean,
  ): Promise<string> {
    try {
      return await this.#tokens.verify(accountId, authorization);
    } catch (error) {
      if (!(error instanceof SallyportError) || !isTokenRefusal(error.code)) throw error;
      // Whoever invents account ids would fill the groups that wait to be written, and push real accounts' out of them.
      if (hasEndpoint || (await this.#tokens.knows?.(accountId)) === true) {
        const { code: reason, message, remedy } = error;
        this.#refusals.record({ accountId, reason, message, remedy, ...shownBy(connection) });
      }
      throw error;
    }
  }
}

function callerOn(connection: LiveConnection, accountId: string, tokenId: string): AgentCaller {
  const { identity } = connection;
  return {
    accountId,
    connection,
    via:
      identity.listener === 'mtls'
        ? { transport: 'MTLS', certificate: identity.certificate, anchor: identity.anchor, tokenId }
        : { transport: 'PLAIN', certificate: null, anchor: null, tokenId },
  };
}

function shownBy({ identity, socket }: LiveConnection) {
  return {
    serverName: identity.serverName,
    remoteAddress: socket.remoteAddress ?? 'unknown',
    certificate: identity.listener === 'mtls' ? identity.certificate : null,
  };
}
