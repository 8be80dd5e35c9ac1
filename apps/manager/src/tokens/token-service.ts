import { randomBytes, randomUUID } from 'node:crypto';
import { type DelegateTokenDetails, encodeDelegateToken, SallyportError, type TokenStatus } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import { describePrincipal, mayEdit, type Principal } from '../access/principal.ts';
import { type AuditAction, AuditStore } from '../audit/audit-store.ts';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import { isUniqueViolation } from '../database/database-error.ts';
import type { Schema } from '../database/schema.ts';
import { type DelegateGroupDetails, groupByName } from './delegate-groups.ts';
import type { SecretBox } from './secret-box.ts';
import { type StoredToken, TokenStore, tokenStatus } from './token-store.ts';

export interface TokenCollaborators {
  readonly database: Kysely<Schema>;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly secrets: SecretBox;
}

/** Where a token belongs: the account, or an organisation or project of it. */
export interface TokenScope {
  readonly accountId: string;
  /** `org` or `org/project`; empty for the account itself. */
  readonly owner: string;
}

/** A token as delegates are authenticated by it. `status` is that of the moment of asking. */
export interface AuthenticationToken {
  readonly id: string;
  readonly name: string;
  /** 16 bytes: the AES-128 key behind the hex secret. */
  readonly key: Buffer;
  readonly status: TokenStatus;
  /** Whoever keeps the token longer than one decision has to take it for revoked from this moment on. */
  readonly revokeAfter: number | null;
}

const SECRET_BYTES = 16;
const DEFAULT_TOKEN = 'default_token';
/** Revoked tokens stay on record, and keep their names, for this long. */
const KEEP_REVOKED_MS = 30 * 86_400_000;

export class TokenService {
  readonly #database: Kysely<Schema>;
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #secrets: SecretBox;

  constructor({ database, bus, clock, secrets }: TokenCollaborators) {
    this.#database = database;
    this.#bus = bus;
    this.#clock = clock;
    this.#secrets = secrets;
  }

  /** The token with its value: the one answer that holds it for everybody who may create tokens. */
  async create(
    scope: TokenScope,
    name: string,
    revokeAfter: number | null,
    by: Principal,
  ): Promise<DelegateTokenDetails> {
    const now = this.#clock.now();
    if (name.trim() === '') throw new SallyportError('INVALID_REQUEST', 'tokenName is blank.');
    if (revokeAfter !== null && revokeAfter < now.getTime()) {
      throw new SallyportError('INVALID_REQUEST', 'Token revocation time can not be less than current time.');
    }
    const token = this.#make(scope, name, revokeAfter, by.name);
    try {
      await this.#change(scope, 'delegate-token.created', name, by, async (tokens) => {
        await tokens.purge(scope.accountId, now.getTime() - KEEP_REVOKED_MS);
        await tokens.insert(token);
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new SallyportError('INVALID_REQUEST', `Token with given name ${name} already exists for given account.`, {
        remedy: 'Choose another name. A revoked token keeps its name for 30 days, or until it is deleted.',
      });
    }
    return this.#describe(token, true);
  }

  /** Part of the account's own creation, in its transaction. */
  async createDefault(transaction: Kysely<Schema>, accountId: string): Promise<void> {
    await new TokenStore(transaction).insert(this.#make({ accountId, owner: '' }, DEFAULT_TOKEN, null, null));
  }

  /** When it resolves, no delegate authenticates with the token any more. */
  async revoke(scope: TokenScope, name: string, by: Principal): Promise<DelegateTokenDetails> {
    const now = this.#clock.now();
    return this.#change(scope, 'delegate-token.revoked', name, by, async (tokens) => {
      const token = found(await tokens.byName(scope.accountId, scope.owner, name));
      if (tokenStatus(token, now) === 'REVOKED') {
        throw new SallyportError('INVALID_REQUEST', 'Specified token is already revoked.');
      }
      await tokens.revoke(token.id, now.getTime());
      return this.#describe({ ...token, revokedAt: now.getTime() }, false);
    });
  }

  /** Forgets a revoked token, which sets its name free. */
  async delete(scope: TokenScope, name: string, by: Principal): Promise<void> {
    await this.#change(scope, 'delegate-token.deleted', name, by, async (tokens) => {
      const token = found(await tokens.byName(scope.accountId, scope.owner, name));
      if (tokenStatus(token, this.#clock.now()) === 'ACTIVE') {
        throw new SallyportError('INVALID_REQUEST', `Token ${name} is active.`, {
          remedy: 'Revoke the token first: only revoked tokens can be deleted.',
        });
      }
      await tokens.delete(token.id);
    });
  }

  /** Oldest first, with their values for callers who may edit. The name is compared exactly. */
  async list(
    scope: TokenScope,
    filter: { name?: string; status?: TokenStatus },
    by: Principal,
  ): Promise<DelegateTokenDetails[]> {
    const now = this.#clock.now();
    const kept = (await new TokenStore(this.#database).list(scope.accountId, scope.owner)).filter(
      (token) => !isForgotten(token, now),
    );
    return kept
      .filter((token) => filter.name === undefined || token.name === filter.name)
      .filter((token) => filter.status === undefined || tokenStatus(token, now) === filter.status)
      .map((token) => this.#describe(token, mayEdit(by)));
  }

  /**
   * What a delegate of the scope signs in with: the value of the named token, or with null of the default one. Throws
   * INVALID_REQUEST when there is none, or it is revoked.
   */
  async activeValue({ accountId, owner }: TokenScope, name: string | null): Promise<string> {
    const wanted = name ?? (owner === '' ? DEFAULT_TOKEN : `${DEFAULT_TOKEN}_${owner}`);
    const token = await new TokenStore(this.#database).byName(accountId, owner, wanted);
    if (token === null || tokenStatus(token, this.#clock.now()) === 'REVOKED') {
      throw new SallyportError(
        'INVALID_REQUEST',
        `The delegate token '${wanted}' ${token === null ? 'does not exist' : 'is revoked'}.`,
        { remedy: 'Name an active token of the account in tokenName.' },
      );
    }
    return encodeDelegateToken(this.#open(token).toString('hex'));
  }

  /** The delegates that use the named token, or with null any token of the scope. */
  async delegateGroups(scope: TokenScope, name: string | null): Promise<DelegateGroupDetails[]> {
    const now = this.#clock.now();
    const tokens = new TokenStore(this.#database);
    if (name !== null) found(await tokens.byName(scope.accountId, scope.owner, name));
    const users = await tokens.users(scope.accountId, scope.owner, now.getTime());
    return groupByName(name === null ? users : users.filter((user) => user.token.name === name), now);
  }

  /**
   * Every token of the account, whatever its owner: delegates do not say which one they use. Revoked ones too, so that
   * their users can be told so. Throws SecretBoxError when a secret does not open: then nobody gets in.
   */
  async findForAuthentication(accountId: string): Promise<AuthenticationToken[]> {
    const now = this.#clock.now();
    const tokens = await new TokenStore(this.#database).list(accountId);
    return tokens.map((token) => ({
      id: token.id,
      name: token.name,
      key: this.#open(token),
      status: tokenStatus(token, now),
      revokeAfter: token.revokeAfter,
    }));
  }

  /** Throws SecretBoxError when the master key is not the one that the database's secrets were sealed with. */
  async checkMasterKey(): Promise<void> {
    const token = await new TokenStore(this.#database).any();
    if (token !== null) this.#open(token);
  }

  #change<R>(
    { accountId }: TokenScope,
    action: AuditAction,
    subject: string,
    by: Principal,
    work: (tokens: TokenStore) => Promise<R>,
  ): Promise<R> {
    return this.#bus.commit({ type: 'tokens-changed', accountId }, async (transaction) => {
      const result = await work(new TokenStore(transaction));
      const event = { accountId, at: this.#clock.now(), actor: describePrincipal(by), action, subject };
      await new AuditStore(transaction).append(event);
      return result;
    });
  }

  #make({ accountId, owner }: TokenScope, name: string, revokeAfter: number | null, createdBy: string | null) {
    const id = randomUUID();
    const sealedSecret = this.#secrets.seal(randomBytes(SECRET_BYTES), { accountId, tokenId: id });
    const createdAt = this.#clock.now().getTime();
    const token: StoredToken = {
      ...{ id, accountId, name, owner, sealedSecret, createdAt, createdBy, revokeAfter, revokedAt: null },
    };
    return token;
  }

  #open(token: StoredToken): Buffer {
    return this.#secrets.open(token.sealedSecret, { accountId: token.accountId, tokenId: token.id });
  }

  #describe(token: StoredToken, withValue: boolean): DelegateTokenDetails {
    const { createdBy } = token;
    return {
      uuid: token.id,
      accountId: token.accountId,
      name: token.name,
      createdByNgUser: createdBy === null ? null : { type: 'API_KEY', name: createdBy, jwtclaims: {} },
      createdAt: token.createdAt,
      status: tokenStatus(token, this.#clock.now()),
      ...(withValue && { value: encodeDelegateToken(this.#open(token).toString('hex')) }),
      ...(token.owner !== '' && { ownerIdentifier: token.owner }),
      ...(token.revokeAfter !== null && { revokeAfter: token.revokeAfter }),
    };
  }
}

function found(token: StoredToken | null): StoredToken {
  if (token === null) throw new SallyportError('INVALID_REQUEST', 'Specified token does not exist.');
  return token;
}

function isForgotten({ revokedAt, revokeAfter }: StoredToken, now: Date): boolean {
  return Math.min(revokedAt ?? Infinity, revokeAfter ?? Infinity) < now.getTime() - KEEP_REVOKED_MS;
}
