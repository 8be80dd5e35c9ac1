import type { IncomingHttpHeaders } from 'node:http';
import { SallyportError } from '@sallyport/protocol';
import { judgeTransport } from '@sallyport/trust';
import type { TrustDirectory } from '../endpoints/trust-directory.ts';
import type { LiveConnection, LiveConnections } from '../gateway/live-connections.ts';
import type { RefusalRecorder } from '../refusals/refusal-recorder.ts';
import type { AgentTokens } from './agent-tokens.ts';
import type { Via } from './presence.ts';

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

/** The second door: which account is this, does it accept this transport, and is the token one of its own? */
export class AgentAuthentication {
  readonly #directory: TrustDirectory;
  readonly #tokens: Pick<AgentTokens, 'verify'>;
  readonly #connections: LiveConnections;
  readonly #refusals: RefusalRecorder;
  readonly #urlOf: (fqdn: string) => string;

  /** `urlOf`: where delegates of an endpoint connect to, for the remedy. */
  constructor(
    directory: TrustDirectory,
    tokens: Pick<AgentTokens, 'verify'>,
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
   * Throws SallyportError with status 401; a refused transport is recorded for the account.
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

  async #judge(connection: LiveConnection, accountId: string, headers: IncomingHttpHeaders): Promise<AgentCaller> {
    const { identity } = connection;
    const endpoint = await this.#directory.byAccount(accountId);
    const verdict = judgeTransport({ endpoint, authority: identity.authority, urlOf: this.#urlOf });
    if (!verdict.admitted) {
      const { reason, message, remedy } = verdict;
      const certificate = identity.listener === 'mtls' ? identity.certificate : null;
      const remoteAddress = connection.socket.remoteAddress ?? 'unknown';
      this.#refusals.record({
        accountId,
        reason,
        message,
        remedy,
        serverName: identity.serverName,
        remoteAddress,
        certificate,
      });
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
    const tokenId = await this.#tokens.verify(accountId, headers.authorization);
    return {
      accountId,
      connection,
      via:
        identity.listener === 'mtls'
          ? { transport: 'MTLS', certificate: identity.certificate, anchor: identity.anchor, tokenId }
          : { transport: 'PLAIN', certificate: null, anchor: null, tokenId },
    };
  }
}
