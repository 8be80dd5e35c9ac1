import { type AgentMtlsEndpointRequest, type CutOff, SallyportError } from '@sallyport/protocol';
import { CaBundleError, readCaBundle } from '@sallyport/trust';
import type { Kysely } from 'kysely';
import { describePrincipal, type Principal } from '../access/principal.ts';
import { AccountStore } from '../accounts/account-store.ts';
import type { Clock } from '../clock.ts';
import { isUniqueViolation } from '../database/database-error.ts';
import type { Schema } from '../database/schema.ts';
import { fqdnForPrefix } from './domain-prefix.ts';
import { readPart, readWhole } from './endpoint-request.ts';
import { EndpointStore, type MtlsEndpoint } from './endpoint-store.ts';
import { type ChangeOutcome, type EndpointWriter, found, PLAIN_CHANGE, type Safety } from './endpoint-writer.ts';
import { RevertStore } from './revert-store.ts';

export interface EndpointCollaborators {
  readonly database: Kysely<Schema>;
  readonly writer: EndpointWriter;
  readonly clock: Clock;
  /** `agent.<base domain>`; null: no account can have an endpoint. */
  readonly agentDomain: string | null;
}

export interface EndpointWarning {
  readonly code: string;
  readonly message: string;
  /** Subject of the certificate that it is about. */
  readonly subject: string;
}

/** An endpoint with what is to be said about its certificates today. */
export interface EndpointReport {
  readonly endpoint: MtlsEndpoint;
  readonly warnings: readonly EndpointWarning[];
  /** When the last change takes itself back; null when none is waiting for a confirmation. */
  readonly revertsAt: number | null;
  /** After a change: the delegates that it cut off. */
  readonly cutOff?: readonly CutOff[];
}

export class EndpointService {
  readonly #database: Kysely<Schema>;
  readonly #writer: EndpointWriter;
  readonly #clock: Clock;
  readonly #agentDomain: string | null;

  constructor({ database, writer, clock, agentDomain }: EndpointCollaborators) {
    this.#database = database;
    this.#writer = writer;
    this.#clock = clock;
    this.#agentDomain = agentDomain;
  }

  /** When it resolves, the endpoint admits clients of its CA. */
  async create(accountId: string, request: AgentMtlsEndpointRequest, by: Principal): Promise<EndpointReport> {
    const endpoint = readWhole(request, await this.domainFor(accountId), this.#clock.now());
    const created = await naming(accountId, request, this.#writer.create(accountId, endpoint, describePrincipal(by)));
    return { endpoint: created, warnings: this.#warningsOf(created), revertsAt: null };
  }

  /** Replaces name, CA and mode. When it resolves, connections that no longer hold have been judged by the new state. */
  async update(
    accountId: string,
    request: AgentMtlsEndpointRequest,
    by: Principal,
    safety: Safety = PLAIN_CHANGE,
  ): Promise<EndpointReport> {
    const change = readWhole(request, await this.domainFor(accountId), this.#clock.now());
    return this.#changed(
      await naming(
        accountId,
        request,
        this.#writer.change(accountId, describePrincipal(by), () => change, safety),
      ),
    );
  }

  /** As update, for the fields that are there. */
  async patch(
    accountId: string,
    request: AgentMtlsEndpointRequest,
    by: Principal,
    safety: Safety = PLAIN_CHANGE,
  ): Promise<EndpointReport> {
    const change = readPart(request, await this.domainFor(accountId), this.#clock.now());
    return this.#changed(
      await naming(
        accountId,
        request,
        this.#writer.change(accountId, describePrincipal(by), () => change, safety),
      ),
    );
  }

  /** The last change stays, although it was to take itself back. Throws CONFLICT when none is waiting. */
  async confirm(accountId: string, by: Principal): Promise<EndpointReport> {
    await this.domainFor(accountId);
    const endpoint = await this.#writer.confirm(accountId, describePrincipal(by));
    return { endpoint, warnings: this.#warningsOf(endpoint), revertsAt: null };
  }

  async get(accountId: string): Promise<EndpointReport> {
    await this.domainFor(accountId);
    const endpoint = found(accountId, await new EndpointStore(this.#database).byAccount(accountId));
    const pending = await new RevertStore(this.#database).ofEndpoint(endpoint.uuid);
    return { endpoint, warnings: this.#warningsOf(endpoint), revertsAt: pending?.revertAt ?? null };
  }

  /** False when there was none. When it resolves, nobody is connected through the endpoint any more. */
  async delete(accountId: string, by: Principal): Promise<boolean> {
    await this.domainFor(accountId);
    return this.#writer.delete(accountId, describePrincipal(by));
  }

  /** True when nobody has the name; the caller's own endpoint counts as somebody. */
  async isAvailable(accountId: string, domainPrefix: string): Promise<boolean> {
    const fqdn = fqdnForPrefix(domainPrefix, await this.domainFor(accountId));
    return (await new EndpointStore(this.#database).byFqdn(fqdn)) === null;
  }

  /** The domain of endpoints. Throws FEATURE_UNAVAILABLE when there is none, or mTLS is not enabled for the account. */
  async domainFor(accountId: string): Promise<string> {
    if (this.#agentDomain === null) {
      throw new SallyportError(
        'FEATURE_UNAVAILABLE',
        'The requested feature is not available: this control plane has no agent domain.',
        { remedy: 'Ask the operator to configure a base domain (SALLYPORT_BASE_DOMAIN).' },
      );
    }
    const account = await new AccountStore(this.#database).get(accountId);
    if (account?.mtlsEnabled !== true) {
      throw new SallyportError(
        'FEATURE_UNAVAILABLE',
        `The requested feature is not available: mTLS is not enabled for account '${accountId}'.`,
      );
    }
    return this.#agentDomain;
  }

  #changed({ endpoint, cutOff, revertsAt }: ChangeOutcome): EndpointReport {
    return { endpoint, warnings: this.#warningsOf(endpoint), cutOff, revertsAt };
  }

  #warningsOf({ caCertificates }: MtlsEndpoint): readonly EndpointWarning[] {
    try {
      return readCaBundle(caCertificates, this.#clock.now()).warnings;
    } catch (error) {
      // Accepted once and of no use today, such as all expired: the endpoint refuses everybody, and says so here.
      if (!(error instanceof CaBundleError)) throw error;
      return [{ code: error.problem, message: error.message, subject: '' }];
    }
  }
}

/** A name or an account that has an endpoint already, in the words that existing clients know. */
async function naming<R>(accountId: string, request: AgentMtlsEndpointRequest, write: Promise<R>): Promise<R> {
  try {
    return await write;
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new SallyportError(
      'INVALID_REQUEST',
      `Agent mTLS endpoint with domain prefix '${request.domainPrefix}' or accountId '${accountId}' already exists.`,
      { remedy: 'Choose another prefix; an account has one mTLS endpoint, which can be changed.' },
    );
  }
}
