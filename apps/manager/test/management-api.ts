import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import type { ApiKey, ErrorBody } from '@sallyport/protocol';
import { ApiKeyService } from '../src/access/api-key-service.ts';
import { apiKeyRoutes } from '../src/access/routes.ts';
import { AccountService } from '../src/accounts/account-service.ts';
import { AccountStore } from '../src/accounts/account-store.ts';
import { accountRoutes, accountStatusRoute } from '../src/accounts/routes.ts';
import { AuditStore } from '../src/audit/audit-store.ts';
import { auditRoutes } from '../src/audit/routes.ts';
import { LocalBus } from '../src/bus/local-bus.ts';
import { type Database, openDatabase } from '../src/database/open-database.ts';
import { EndpointService } from '../src/endpoints/endpoint-service.ts';
import { EndpointWriter } from '../src/endpoints/endpoint-writer.ts';
import { endpointRoutes } from '../src/endpoints/routes.ts';
import { type App, buildApp, type Registration } from '../src/http/app.ts';
import { createLogger } from '../src/http/logger.ts';
import { tokenRoutes } from '../src/tokens/routes.ts';
import { SecretBox } from '../src/tokens/secret-box.ts';
import { TokenService } from '../src/tokens/token-service.ts';

export const START = Date.UTC(2025, 5, 1);

export interface ManagementApiOptions {
  /** Where its data is; in memory by default. */
  readonly database?: Database;
  readonly agentDomain?: string | null;
  readonly register?: readonly Registration[];
}

export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  /** The whole body, as what it is expected to be; null when there is none. */
  readonly body: Record<string, unknown>;
  readonly error: ErrorBody;
  readonly resource: T;
}

/** The management API over a real database and the real services, called without sockets. */
export interface ManagementApi {
  readonly app: App;
  readonly database: Database;
  readonly bus: LocalBus;
  readonly apiKeys: ApiKeyService;
  readonly tokens: TokenService;
  readonly accounts: AccountService;
  readonly clock: { at: number; now(): Date };
  readonly keys: { operator: string };
  /** Everything that was logged so far, at the level trace. */
  log(): string;
  call<T>(
    key: string | null,
    method: string,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer<T>>;
  /** Creates an account and returns an admin key and a viewer key of it. */
  account(id: string, options?: { mtlsEnabled?: boolean }): Promise<{ admin: string; viewer: string }>;
}

export async function managementApi(t: TestContext, options: ManagementApiOptions = {}): Promise<ManagementApi> {
  const opened = options.database ?? (await openDatabase({ file: ':memory:' }));
  const { database } = opened;
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const logger = createLogger('trace', sink);
  const clock = { at: START, now: () => new Date(clock.at) };
  const bus = new LocalBus(database, logger);
  const apiKeys = new ApiKeyService(database, clock);
  const secrets = new SecretBox(createHash('sha256').update('master key of the tests').digest());
  const tokens = new TokenService({ database, bus, clock, secrets });
  const accounts = new AccountService({ database, bus, clock, tokens });
  const accountStore = new AccountStore(database);
  const { agentDomain = 'agent.example.test' } = options;
  const urlOf = (fqdn: string) => `https://${fqdn}:8443`;
  const nothing = async () => undefined;
  const writer = new EndpointWriter({ database, bus, clock, urlOf, settle: nothing, onChange: nothing });
  const endpoints = new EndpointService({ database, writer, clock, agentDomain });
  const app = await buildApp(
    { logger, apiKeys, accounts: accountStore },
    apiKeyRoutes(apiKeys),
    accountRoutes(accounts),
    accountStatusRoute(accountStore),
    tokenRoutes(tokens),
    endpointRoutes(endpoints, urlOf),
    auditRoutes(new AuditStore(database), accountStore),
    ...(options.register ?? []),
  );
  t.after(async () => {
    await app.close();
    if (options.database === undefined) await opened.close();
  });
  const operator = await apiKeys.ensureFirstOperatorKey();
  if (operator === null) throw new Error('the database has an operator key already');

  async function call<T>(
    key: string | null,
    method: string,
    url: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await app.inject({
      method: method as 'GET',
      url,
      headers: { ...(key !== null && { 'x-api-key': key }), ...headers },
      ...(body !== undefined && { payload: body as object }),
    });
    const parsed = response.body === '' ? null : response.json();
    const { statusCode: status, headers: received } = response;
    return { status, headers: received, body: parsed, error: parsed, resource: parsed?.resource };
  }
  const account: ManagementApi['account'] = async (id, { mtlsEnabled = true } = {}) => {
    await call(operator, 'POST', '/ng/api/accounts', { identifier: id });
    if (mtlsEnabled) await call(operator, 'PATCH', `/ng/api/accounts/${id}`, { mtlsEnabled });
    const key = async (role: string) => {
      const answer = await call<ApiKey>(operator, 'POST', `/ng/api/api-keys?accountIdentifier=${id}`, {
        name: role,
        role,
      });
      if (answer.resource.key === undefined) throw new Error(`no key: ${JSON.stringify(answer.body)}`);
      return answer.resource.key;
    };
    return { admin: await key('ACCOUNT_ADMIN'), viewer: await key('ACCOUNT_VIEWER') };
  };
  const log = () => lines.join('');
  return {
    app,
    database: opened,
    bus,
    apiKeys,
    tokens,
    accounts,
    clock,
    keys: { operator },
    log,
    call,
    account,
  };
}
