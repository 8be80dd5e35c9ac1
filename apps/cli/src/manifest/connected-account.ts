import type { DelegateDescription } from '@sallyport/manifest';
import type { AgentMtlsEndpointDetails, EndpointMode } from '@sallyport/protocol';
import type { Command } from 'commander';
import { type GlobalOptions, resolveConnection } from '../connection.ts';
import { CliError, usageError } from '../errors.ts';
import { outputOf, storedProfiles, type Tools } from '../session.ts';

/** What the control plane says about the account that a manifest is for. */
export interface ConnectedAccount {
  readonly account: string;
  /** The control plane itself: what delegates without mTLS connect to. */
  readonly url: string;
  /** Null: the account has no mTLS endpoint. */
  readonly endpoint: ConnectedEndpoint | null;
}

export interface ConnectedEndpoint {
  readonly url: string;
  readonly mode: EndpointMode;
  readonly caCertificates: string;
}

const NO_ENDPOINT: readonly string[] = ['ENTITY_NOT_FOUND', 'FEATURE_UNAVAILABLE'];

/**
 * Asks the control plane that options, environment or profile name; undefined when none is named, or no account. When
 * it cannot be asked, that ends the command if its answer is `needed`; otherwise a warning says so, and undefined comes back:
 * files are read and changed without a control plane too.
 *
 * In these commands the global --ca is the CA bundle of the endpoint, as in `cert verify`: the CA of the control plane's
 * own certificate comes from the profile or SALLYPORT_CA_FILE.
 */
export async function connectedAccount(
  tools: Tools,
  command: Command,
  { needed }: { readonly needed: boolean },
): Promise<ConnectedAccount | undefined> {
  const output = outputOf(tools, command);
  const { ca, ...options } = command.optsWithGlobals<GlobalOptions>();
  if (ca !== undefined && options.url !== undefined)
    throw usageError(
      'With --url, --ca could be the CA of the control plane or that of the endpoint.',
      'Name the CA of the control plane in SALLYPORT_CA_FILE or a profile; --ca is the CA bundle of the endpoint here.',
    );
  const stored = await storedProfiles(tools, output);
  const { url, profile } = tools.environment;
  const named = [options.url, options.profile, url, profile, stored.current ?? undefined];
  if (named.every((name) => name === undefined)) return undefined;
  try {
    const connection = resolveConnection(options, tools.environment, stored);
    const { account } = connection;
    if (account === undefined) return undefined;
    const { openApi } = await import('../api.ts');
    const api = await openApi(connection, tools.environment.variables);
    try {
      const { resource, metaData } = await api.call<AgentMtlsEndpointDetails>('GET', '/ng/api/agent/mtls/endpoint', {
        query: { accountIdentifier: account },
      });
      const endpointUrl = typeof metaData['url'] === 'string' ? metaData['url'] : `https://${resource.fqdn}`;
      const { mode, caCertificates } = resource;
      return { account, url: connection.url, endpoint: { url: endpointUrl, mode, caCertificates } };
    } catch (error) {
      if (error instanceof CliError && NO_ENDPOINT.includes(error.code) && (await accountExists(error, api, account)))
        return { account, url: connection.url, endpoint: null };
      throw error;
    } finally {
      await api.close();
    }
  } catch (error) {
    if (needed || !(error instanceof CliError)) throw error;
    output.warn('NOT_ASKED', `The control plane was not asked about the account: ${error.message}`);
    return undefined;
  }
}

/**
 * The account of a delegate that is not the one which the control plane was asked about; null when all are, or do not say.
 * What is true of one account's endpoint must never be written into another's manifest.
 */
export function otherAccount(
  delegates: readonly DelegateDescription[],
  connected: ConnectedAccount | undefined,
): string | null {
  const accounts = delegates.map(({ environment }) => environment['ACCOUNT_ID']);
  // A placeholder is filled in later.
  const other = accounts.find((id) => id !== undefined && id !== connected?.account && !/PUT_YOUR|[<{]/.test(id));
  return connected === undefined ? null : (other ?? null);
}

/** An account that is not there and an endpoint that is not there have one code. */
async function accountExists(
  { code }: CliError,
  api: { call(method: 'GET', path: string): Promise<unknown> },
  account: string,
): Promise<boolean> {
  if (code === 'FEATURE_UNAVAILABLE') return true;
  await api.call('GET', `/ng/api/accounts/${encodeURIComponent(account)}`);
  return true;
}
