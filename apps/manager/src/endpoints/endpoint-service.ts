import { randomUUID } from 'node:crypto';
import { type AgentMtlsEndpointRequest, type EndpointMode, SallyportError } from '@sallyport/protocol';
import { type CaBundle, CaBundleError, readCaBundle } from '@sallyport/trust';
import type { Kysely, Transaction } from 'kysely';
import { describePrincipal, type Principal } from '../access/principal.ts';
import { AccountStore } from '../accounts/account-store.ts';
import { type AuditAction, AuditStore } from '../audit/audit-store.ts';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import { isUniqueViolation } from '../database/database-error.ts';
import type { Schema } from '../database/schema.ts';
import { fqdnForPrefix } from './domain-prefix.ts';
import { EndpointStore, type MtlsEndpoint } from './endpoint-store.ts';

export interface EndpointCollaborators {
  readonly database: Kysely<Schema>;
  readonly bus: Bus;
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
}

/** A change after validation, with the values that it leaves alone left out. */
interface Change {
  readonly fqdn?: string;
  readonly mode?: EndpointMode;
  readonly caCertificates?: string;
  readonly bundle?: CaBundle;
}

export class EndpointService {
  readonly #database: Kysely<Schema>;
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #agentDomain: string | null;

  constructor({ database, bus, clock, agentDomain }: EndpointCollaborators) {
    this.#database = database;
    this.#bus = bus;
    this.#clock = clock;
    this.#agentDomain = agentDomain;
  }

  /** When it resolves, the endpoint admits clients of its CA. */
  async create(accountId: string, request: AgentMtlsEndpointRequest, by: Principal): Promise<EndpointReport> {
    const change = this.#readWhole(request, await this.#domainFor(accountId));
    const { fqdn, mode, caCertificates, bundle } = change;
    const endpoint = await this.#write(accountId, request, 'endpoint.created', by, change, async (endpoints) =>
      endpoints.insert({ uuid: randomUUID(), accountId, fqdn, mode, caCertificates }, this.#clock.now()),
    );
    return { endpoint, warnings: bundle.warnings };
  }

  /** Replaces name, CA and mode. When it resolves, connections that no longer hold have been judged by the new state. */
  async update(accountId: string, request: AgentMtlsEndpointRequest, by: Principal): Promise<EndpointReport> {
    return this.#change(accountId, request, this.#readWhole(request, await this.#domainFor(accountId)), by);
  }

  /** As update, for the fields that are there. */
  async patch(accountId: string, request: AgentMtlsEndpointRequest, by: Principal): Promise<EndpointReport> {
    const change = this.#readPart(request, await this.#domainFor(accountId));
    if (Object.keys(change).length === 0) throw new SallyportError('INVALID_REQUEST', 'The patch request is empty.');
    return this.#change(accountId, request, change, by);
  }

  async get(accountId: string): Promise<EndpointReport> {
    await this.#domainFor(accountId);
    return this.#report(found(accountId, await new EndpointStore(this.#database).byAccount(accountId)));
  }

  /** False when there was none. When it resolves, nobody is connected through the endpoint any more. */
  async delete(accountId: string, by: Principal): Promise<boolean> {
    await this.#domainFor(accountId);
    return this.#bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
      const endpoints = new EndpointStore(transaction);
      const endpoint = await endpoints.byAccount(accountId);
      if (endpoint === null) return false;
      await endpoints.delete(endpoint.uuid);
      await this.#record(transaction, 'endpoint.deleted', endpoint, by);
      return true;
    });
  }

  /** True when nobody has the name; the caller's own endpoint counts as somebody. */
  async isAvailable(accountId: string, domainPrefix: string): Promise<boolean> {
    const fqdn = fqdnForPrefix(domainPrefix, await this.#domainFor(accountId));
    return (await new EndpointStore(this.#database).byFqdn(fqdn)) === null;
  }

  async #domainFor(accountId: string): Promise<string> {
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

  #readWhole(request: AgentMtlsEndpointRequest, agentDomain: string): Required<Change> {
    const bundle = this.#readBundle(request.caCertificates);
    const fqdn = fqdnForPrefix(request.domainPrefix, agentDomain);
    if (request.mode === undefined || request.mode === null) {
      throw new SallyportError('INVALID_REQUEST', 'No agent mTLS mode was provided.', {
        remedy: 'Send mode LOOSE (delegates without mTLS are accepted too) or STRICT (mTLS only).',
      });
    }
    return { ...bundle, fqdn, mode: request.mode };
  }

  #readPart({ caCertificates, domainPrefix, mode }: AgentMtlsEndpointRequest, agentDomain: string): Change {
    return {
      ...(isPresent(caCertificates) && this.#readBundle(caCertificates)),
      ...(isPresent(domainPrefix) && { fqdn: fqdnForPrefix(domainPrefix, agentDomain) }),
      ...(isPresent(mode) && { mode }),
    };
  }

  #readBundle(pem: string | null | undefined): Required<Pick<Change, 'caCertificates' | 'bundle'>> {
    if (pem === undefined || pem === null || pem.trim() === '') {
      throw new SallyportError('INVALID_REQUEST', 'No CA certificate was provided for the agent mTLS endpoint.', {
        remedy: 'Send the PEM text of your CA certificate (ca.crt) in caCertificates.',
      });
    }
    // PostgreSQL stores no NUL, and no PEM file has one.
    if (pem.includes('\0')) throw new SallyportError('INVALID_CA_BUNDLE', 'The CA bundle holds a NUL character.');
    try {
      return { caCertificates: pem, bundle: readCaBundle(pem, this.#clock.now()) };
    } catch (error) {
      // Its message never quotes the text. The text itself must not travel further: it may hold a private key.
      if (!(error instanceof CaBundleError)) throw error;
      throw new SallyportError('INVALID_CA_BUNDLE', error.message, { details: { problem: error.problem } });
    }
  }

  async #change(
    accountId: string,
    request: AgentMtlsEndpointRequest,
    change: Change,
    by: Principal,
  ): Promise<EndpointReport> {
    const endpoint = await this.#write(accountId, request, 'endpoint.updated', by, change, async (endpoints) => {
      const before = found(accountId, await endpoints.byAccount(accountId));
      return found(accountId, await endpoints.update(before.uuid, change, this.#clock.now()));
    });
    return this.#report(endpoint);
  }

  async #write(
    accountId: string,
    request: AgentMtlsEndpointRequest,
    action: AuditAction,
    by: Principal,
    change: Change,
    work: (endpoints: EndpointStore) => Promise<MtlsEndpoint>,
  ): Promise<MtlsEndpoint> {
    try {
      return await this.#bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
        const endpoint = await work(new EndpointStore(transaction));
        await this.#record(transaction, action, endpoint, by, change);
        return endpoint;
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new SallyportError(
        'INVALID_REQUEST',
        `Agent mTLS endpoint with domain prefix '${request.domainPrefix}' or accountId '${accountId}' already exists.`,
        { remedy: 'Choose another prefix; an account has one mTLS endpoint, which can be changed.' },
      );
    }
  }

  async #record(
    transaction: Transaction<Schema>,
    action: AuditAction,
    { accountId, uuid, fqdn, mode, revision }: MtlsEndpoint,
    by: Principal,
    change: Change = {},
  ): Promise<void> {
    const authorities = change.bundle?.authorities.map((ca) => ({
      subject: ca.subject,
      fingerprint: ca.fingerprint256,
    }));
    const event = { accountId, at: this.#clock.now(), actor: describePrincipal(by), action, subject: uuid };
    const details = { fqdn, mode, revision, ...(authorities !== undefined && { authorities }) };
    await new AuditStore(transaction).append({ ...event, details });
  }

  #report(endpoint: MtlsEndpoint): EndpointReport {
    try {
      return { endpoint, warnings: readCaBundle(endpoint.caCertificates, this.#clock.now()).warnings };
    } catch (error) {
      // Accepted once and of no use today, such as all expired: the endpoint refuses everybody, and says so here.
      if (!(error instanceof CaBundleError)) throw error;
      return { endpoint, warnings: [{ code: error.problem, message: error.message, subject: '' }] };
    }
  }
}

function isPresent<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

function found(accountId: string, endpoint: MtlsEndpoint | null): MtlsEndpoint {
  if (endpoint !== null) return endpoint;
  throw new SallyportError('ENTITY_NOT_FOUND', `Agent mTLS endpoint for account '${accountId}' was not found.`, {
    remedy: 'Create the endpoint first.',
  });
}
