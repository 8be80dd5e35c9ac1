import { randomUUID } from 'node:crypto';
import { type ApiKey, type ApiKeyRole, type CreateApiKeyRequest, SallyportError } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import { AuditStore } from '../audit/audit-store.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { ApiKeyStore, type StoredApiKey } from './api-key-store.ts';
import { formatApiKey, hashSecret, newSecret, parseApiKey, secretMatches } from './api-key-text.ts';
import { describePrincipal, type Principal } from './principal.ts';

const KINDS = {
  OPERATOR: 'operator',
  ACCOUNT_ADMIN: 'account-admin',
  ACCOUNT_VIEWER: 'account-viewer',
} as const satisfies Record<ApiKeyRole, Principal['kind']>;

/** Always the same, so that replicas which start at once make one key between them. */
const FIRST_OPERATOR_KEY = 'first-operator-key';

export class ApiKeyService {
  readonly #database: Kysely<Schema>;
  readonly #clock: Clock;

  constructor(database: Kysely<Schema>, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * Who the key stands for, with key and account verified to belong together and the key active at this moment. What
   * it may do is not looked at. Throws INVALID_TOKEN, EXPIRED_TOKEN or REVOKED_TOKEN.
   */
  async authenticate(text: string): Promise<Principal> {
    const parsed = parseApiKey(text);
    const key = parsed === null ? null : await new ApiKeyStore(this.#database).get(parsed.id);
    // One answer for every way of being wrong: whoever guesses must not learn which part was right.
    if (
      parsed === null ||
      key === null ||
      key.accountId !== parsed.accountId ||
      !secretMatches(parsed.secret, key.secretHash)
    ) {
      throw new SallyportError('INVALID_TOKEN', 'The API key is malformed or unknown.');
    }
    const status = statusAt(key, this.#clock.now());
    if (status === 'REVOKED') throw new SallyportError('REVOKED_TOKEN', `The API key "${key.name}" was revoked.`);
    if (status === 'EXPIRED') throw new SallyportError('EXPIRED_TOKEN', `The API key "${key.name}" has expired.`);
    return { kind: KINDS[key.role], keyId: key.id, name: key.name, accountId: key.accountId };
  }

  /** A key of the account, or with null an operator key. The answer holds the key's text; it cannot be had again. */
  async create(accountId: string | null, request: CreateApiKeyRequest, by: Principal): Promise<ApiKey> {
    const now = this.#clock.now();
    if ((request.role === 'OPERATOR') !== (accountId === null)) {
      throw new SallyportError(
        'INVALID_REQUEST',
        accountId === null
          ? `A key with role ${request.role} belongs to an account: name it in accountIdentifier.`
          : 'Operator keys belong to no account: leave accountIdentifier out.',
      );
    }
    if (request.expiresAt !== undefined && request.expiresAt <= now.getTime()) {
      throw new SallyportError('INVALID_REQUEST', `expiresAt ${request.expiresAt} is not in the future.`);
    }
    const { key, text } = this.#make(randomUUID(), accountId, request, describePrincipal(by));
    await this.#database.transaction().execute(async (transaction) => {
      await new ApiKeyStore(transaction).insert(key);
      await new AuditStore(transaction).append({
        accountId,
        at: now,
        actor: describePrincipal(by),
        action: 'api-key.created',
        subject: key.id,
        details: { name: key.name, role: key.role },
      });
    });
    return { ...toApiKey(key, now), key: text };
  }

  async list(accountId: string | null): Promise<ApiKey[]> {
    const now = this.#clock.now();
    return (await new ApiKeyStore(this.#database).list(accountId)).map((key) => toApiKey(key, now));
  }

  async get(id: string): Promise<ApiKey> {
    const key = await new ApiKeyStore(this.#database).get(id);
    if (key === null) throw notFound(id);
    return toApiKey(key, this.#clock.now());
  }

  /** From now on the key is refused. Revoking it again changes nothing. */
  async revoke(accountId: string | null, id: string, by: Principal): Promise<ApiKey> {
    const now = this.#clock.now();
    return this.#database.transaction().execute(async (transaction) => {
      const keys = new ApiKeyStore(transaction);
      const key = await keys.get(id);
      if (key === null || key.accountId !== accountId) throw notFound(id);
      if (key.revokedAt !== null) return toApiKey(key, now);
      if (accountId === null) await refuseLastOperatorKey(keys, id, now);
      await keys.revoke(id, now.getTime());
      await new AuditStore(transaction).append({
        accountId,
        at: now,
        actor: describePrincipal(by),
        action: 'api-key.revoked',
        subject: id,
        details: { name: key.name, role: key.role },
      });
      return toApiKey({ ...key, revokedAt: now.getTime() }, now);
    });
  }

  /** Makes the first operator key and returns its text, once in the life of the database; null ever after. */
  async ensureFirstOperatorKey(): Promise<string | null> {
    const request = { name: 'first operator key', role: 'OPERATOR' } as const;
    const { key, text } = this.#make(FIRST_OPERATOR_KEY, null, request, 'system');
    return this.#database.transaction().execute(async (transaction) => {
      if (!(await new ApiKeyStore(transaction).insert(key))) return null;
      const event = { accountId: null, at: this.#clock.now(), actor: 'system', subject: key.id } as const;
      await new AuditStore(transaction).append({ ...event, action: 'api-key.created', details: { role: key.role } });
      return text;
    });
  }

  #make(id: string, accountId: string | null, request: CreateApiKeyRequest, createdBy: string) {
    const secret = newSecret();
    const key: StoredApiKey = {
      id,
      name: request.name,
      role: request.role,
      accountId,
      secretHash: hashSecret(secret),
      createdAt: this.#clock.now().getTime(),
      expiresAt: request.expiresAt ?? null,
      revokedAt: null,
      createdBy,
    };
    return { key, text: formatApiKey({ accountId, id, secret }) };
  }
}

/** Without one, nobody could make another: the installation would have locked itself out. */
async function refuseLastOperatorKey(keys: ApiKeyStore, id: string, now: Date): Promise<void> {
  const others = (await keys.list(null)).filter((key) => key.id !== id && key.expiresAt === null);
  if (others.some((key) => statusAt(key, now) === 'ACTIVE')) return;
  throw new SallyportError('CONFLICT', 'This is the last operator key that is active and does not expire.', {
    remedy: 'Create another operator key first, then revoke this one with it.',
  });
}

function notFound(id: string): SallyportError {
  return new SallyportError('ENTITY_NOT_FOUND', `API key '${id}' was not found.`);
}

function statusAt(key: StoredApiKey, now: Date): ApiKey['status'] {
  if (key.revokedAt !== null) return 'REVOKED';
  return key.expiresAt !== null && key.expiresAt <= now.getTime() ? 'EXPIRED' : 'ACTIVE';
}

function toApiKey(key: StoredApiKey, now: Date): ApiKey {
  return {
    uuid: key.id,
    name: key.name,
    role: key.role,
    accountIdentifier: key.accountId,
    status: statusAt(key, now),
    createdAt: key.createdAt,
    expiresAt: key.expiresAt,
  };
}
