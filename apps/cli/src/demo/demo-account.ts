import { readFileSync } from 'node:fs';
import type {
  Account,
  AgentMtlsEndpointDetails,
  DelegateListing,
  DelegateTokenDetails,
  TaskDetails,
} from '@sallyport/protocol';
import type { Api } from '../api.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';

export const DEMO_ACCOUNT = 'acme';
const query = { accountIdentifier: DEMO_ACCOUNT };
const TASK_WAIT_SECONDS = 25;

/** The account of the demonstration, through the same API that everybody uses. Each step finds what an earlier start made. */
export class DemoAccount {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** The account with mTLS enabled and its endpoint; a new endpoint is LOOSE, an existing one is left as it is. */
  async ensure(caCertificateFile: string): Promise<AgentMtlsEndpointDetails> {
    const accounts = await this.#api.list<Account>('GET', '/ng/api/accounts');
    const account = accounts.find(({ identifier }) => identifier === DEMO_ACCOUNT);
    if (account === undefined)
      await this.#api.call('POST', '/ng/api/accounts', { body: { identifier: DEMO_ACCOUNT, name: 'Acme' } });
    if (account?.mtlsEnabled !== true) {
      await this.#api.call('PATCH', `/ng/api/accounts/${DEMO_ACCOUNT}`, { body: { mtlsEnabled: true } });
    }
    const found = await this.#endpoint();
    if (found !== null) return found;
    const caCertificates = readFileSync(caCertificateFile, 'utf8');
    const body = { domainPrefix: DEMO_ACCOUNT, caCertificates, mode: 'LOOSE' };
    return (await this.#api.call<AgentMtlsEndpointDetails>('POST', '/ng/api/agent/mtls/endpoint', { query, body }))
      .resource;
  }

  async #endpoint(): Promise<AgentMtlsEndpointDetails | null> {
    try {
      return (await this.#api.call<AgentMtlsEndpointDetails>('GET', '/ng/api/agent/mtls/endpoint', { query })).resource;
    } catch (error) {
      if (error instanceof CliError && error.exit === EXIT.notFound) return null;
      throw error;
    }
  }

  /** The value of the account's default delegate token. */
  async token(): Promise<string> {
    const tokens = await this.#api.list<DelegateTokenDetails>('GET', '/ng/api/delegate-token-ng', {
      query: { ...query, status: 'ACTIVE' },
    });
    const value = tokens.find((token) => token.value !== undefined)?.value;
    if (value === undefined)
      throw new Error(
        `account ${DEMO_ACCOUNT} has no active delegate token: sallyport token create demo --account ${DEMO_ACCOUNT}`,
      );
    return value;
  }

  async connectedDelegates(): Promise<DelegateListing[]> {
    const body = { filterType: 'Delegate', status: 'CONNECTED' };
    return this.#api.list<DelegateListing>('POST', '/ng/api/delegate-setup/listDelegates', { query, body });
  }

  /** Runs a script on the named delegate and resolves when it has ended. */
  async run(delegateName: string, script: string): Promise<TaskDetails> {
    const body = { type: 'SHELL_SCRIPT', data: { script }, selectors: [delegateName], timeout: 20_000 };
    const created = await this.#api.call<TaskDetails>('POST', '/ng/api/tasks', { query, body });
    const path = `/ng/api/tasks/${created.resource.id}`;
    const waited = await this.#api.call<TaskDetails>('GET', path, {
      query: { ...query, waitSeconds: TASK_WAIT_SECONDS },
    });
    return waited.resource;
  }
}
