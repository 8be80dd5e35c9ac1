import {
  type Account,
  type CreateAccountRequest,
  SallyportError,
  type UpdateAccountRequest,
} from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import { describePrincipal, type Principal } from '../access/principal.ts';
import { type AuditAction, AuditStore } from '../audit/audit-store.ts';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import { isUniqueViolation } from '../database/database-error.ts';
import type { Schema } from '../database/schema.ts';
import { EndpointStore } from '../endpoints/endpoint-store.ts';
import type { TokenService } from '../tokens/token-service.ts';
import { AccountStore } from './account-store.ts';

export interface AccountCollaborators {
  readonly database: Kysely<Schema>;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly tokens: TokenService;
}

export class AccountService {
  readonly #database: Kysely<Schema>;
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #tokens: TokenService;

  constructor({ database, bus, clock, tokens }: AccountCollaborators) {
    this.#database = database;
    this.#bus = bus;
    this.#clock = clock;
    this.#tokens = tokens;
  }

  /** The account, and with it its delegate token `default_token`. mTLS is off until an operator enables it. */
  async create(request: CreateAccountRequest, by: Principal): Promise<Account> {
    const { identifier, name = identifier } = request;
    const createdAt = this.#clock.now().getTime();
    const account: Account = { identifier, name, status: 'ACTIVE', mtlsEnabled: false, createdAt };
    try {
      await this.#bus.commit({ type: 'tokens-changed', accountId: identifier }, async (transaction) => {
        await new AccountStore(transaction).insert(account);
        await this.#tokens.createDefault(transaction, identifier);
        await this.#record(transaction, 'account.created', identifier, by, { name });
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new SallyportError('CONFLICT', `Account '${identifier}' exists already.`);
    }
    return account;
  }

  async list(): Promise<Account[]> {
    return new AccountStore(this.#database).list();
  }

  async get(accountId: string): Promise<Account> {
    return found(accountId, await new AccountStore(this.#database).get(accountId));
  }

  async update(accountId: string, change: UpdateAccountRequest, by: Principal): Promise<Account> {
    return this.#bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
      const accounts = new AccountStore(transaction);
      const account = found(accountId, await accounts.get(accountId));
      const { name = account.name, mtlsEnabled = account.mtlsEnabled } = change;
      // Without its endpoint a STRICT account would accept plain connections again: nobody may lose that in passing.
      if (!mtlsEnabled && (await new EndpointStore(transaction).byAccount(accountId)) !== null) {
        throw new SallyportError('CONFLICT', `Account '${accountId}' still has an mTLS endpoint.`, {
          remedy: 'Delete the endpoint first; delegates without mTLS are accepted from then on.',
        });
      }
      await accounts.update(accountId, { name, mtlsEnabled });
      await this.#record(transaction, 'account.updated', accountId, by, { name, mtlsEnabled });
      return { ...account, name, mtlsEnabled };
    });
  }

  /** Removes everything of the account. When it resolves, none of its delegates is trusted any more. */
  async delete(accountId: string, by: Principal): Promise<void> {
    await this.#bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
      const accounts = new AccountStore(transaction);
      found(accountId, await accounts.get(accountId));
      await accounts.delete(accountId);
      await this.#record(transaction, 'account.deleted', accountId, by, {});
    });
  }

  #record(
    transaction: Kysely<Schema>,
    action: AuditAction,
    accountId: string,
    by: Principal,
    details: Record<string, unknown>,
  ): Promise<void> {
    const event = { accountId, at: this.#clock.now(), actor: describePrincipal(by), action, subject: accountId };
    return new AuditStore(transaction).append({ ...event, details });
  }
}

function found(accountId: string, account: Account | null): Account {
  if (account === null) throw new SallyportError('ENTITY_NOT_FOUND', `Account '${accountId}' was not found.`);
  return account;
}
