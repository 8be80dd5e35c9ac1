import { resolve } from 'node:path';
import { holdsFileContent } from '@sallyport/client/path-value';
import type { DelegateTokenDetails } from '@sallyport/protocol';
import { Command } from 'commander';
import { type Connection, type GlobalOptions, resolveConnection } from '../connection.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { type Running, runUntilSignal, startFailed } from '../foreground.ts';
import { example } from '../help.ts';
import { repeated } from '../options.ts';
import { outputOf, type Session, storedProfiles, type Tools, withApi } from '../session.ts';
import { TOKENS } from './token.ts';

interface RunOptions {
  readonly name?: string;
  readonly tag?: string[];
  readonly manager?: string;
  readonly token?: string;
  readonly certificate?: string;
  readonly key?: string;
}

export function delegateRunCommand(tools: Tools): Command {
  return example(
    new Command('run'),
    'sallyport delegate run --name edge-1 --token production --certificate client.crt --key client.key --manager https://acme.agent.localhost:8443',
  )
    .description('run a delegate in the foreground, set up by the environment of a delegate and these options')
    .option('--name <name>', 'DELEGATE_NAME')
    .option('--tag <tag>', 'DELEGATE_TAGS; repeat for several', repeated)
    .option('--manager <url>', "MANAGER_HOST_AND_PORT (the profile's URL when neither is given)")
    .option('--token <name>', 'name of the token that it takes from the API, in place of DELEGATE_TOKEN')
    .option('--certificate <file>', 'DELEGATE_CLIENT_CERTIFICATE_PATH')
    .option('--key <file>', 'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH')
    .action(async (options: RunOptions, command: Command) => {
      const environment = await settings(tools, options, command);
      await runUntilSignal(() => start(tools, environment));
    });
}

async function start(tools: Tools, environment: Variables): Promise<Running> {
  const { ConfigurationError, EXIT: ENDED, readDelegateConfig, startDelegate } = await import('@sallyport/delegate');
  try {
    const delegate = await startDelegate(readDelegateConfig(environment));
    const ended = delegate.ended.then((code) => {
      // Its codes are those of a program of its own: as a command of ours it ends with ours.
      if (code === ENDED.dismissed) tools.setExit(EXIT.denied);
      else if (code !== ENDED.stopped) tools.setExit(EXIT.failure);
    });
    return { stop: () => delegate.close().then(() => ended), ended };
  } catch (error) {
    throw startFailed('The delegate', error, error instanceof ConfigurationError ? EXIT.usage : EXIT.failure);
  }
}

type Variables = Record<string, string | undefined>;

/** The environment of a delegate: options first, then what is set, then what the connection to the API can tell. */
async function settings(tools: Tools, options: RunOptions, command: Command): Promise<Variables> {
  const { account } = command.optsWithGlobals<GlobalOptions>();
  const given: Variables = {
    ACCOUNT_ID: account,
    DELEGATE_NAME: options.name,
    DELEGATE_TAGS: options.tag?.join(','),
    MANAGER_HOST_AND_PORT: options.manager,
    DELEGATE_CLIENT_CERTIFICATE_PATH: options.certificate === undefined ? undefined : absolute(options.certificate),
    DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: options.key === undefined ? undefined : absolute(options.key),
  };
  const environment = { ...tools.environment.variables, ...defined(given) };
  if (options.token === undefined && environment['ACCOUNT_ID'] && environment['MANAGER_HOST_AND_PORT'])
    return environment;

  const fromConnection: Variables = {};
  if (options.token === undefined) {
    const stored = await storedProfiles(tools, outputOf(tools, command));
    const connection = resolveConnection(command.optsWithGlobals<GlobalOptions>(), tools.environment, stored);
    Object.assign(fromConnection, connectionSettings(connection));
  } else {
    const name = options.token;
    await withApi(tools, command, async (session) => {
      Object.assign(fromConnection, connectionSettings(session.connection));
      environment['DELEGATE_TOKEN'] = await tokenValue(session, environment['ACCOUNT_ID'] ?? session.account(), name);
    });
  }
  return { ...fromConnection, ...defined(environment) };
}

/** Content in the place of a path stays as it is: the delegate names it, and never shows it. */
const absolute = (path: string): string => (holdsFileContent(path) ? path : resolve(path));

function connectionSettings(connection: Connection): Variables {
  return {
    ACCOUNT_ID: connection.account,
    MANAGER_HOST_AND_PORT: connection.url,
    SALLYPORT_EXTRA_CA_FILE: connection.caFile,
  };
}

async function tokenValue({ api }: Session, accountIdentifier: string, name: string): Promise<string> {
  const query = { accountIdentifier, name, status: 'ACTIVE' };
  const tokens = await api.list<DelegateTokenDetails>('GET', TOKENS, { query });
  const token = tokens.find((entry) => entry.name === name);
  if (token === undefined) {
    throw new CliError(`Account "${accountIdentifier}" has no active token "${name}".`, {
      code: 'TOKEN_NOT_FOUND',
      exit: EXIT.notFound,
      remedy: `Create it with "sallyport token create ${name}", or name one of "sallyport token list".`,
    });
  }
  if (token.value === undefined) {
    throw new CliError(`This API key may not see the value of token "${name}".`, {
      code: 'TOKEN_HIDDEN',
      exit: EXIT.denied,
      remedy: 'Use the key of an account admin, or set DELEGATE_TOKEN.',
    });
  }
  return token.value;
}

const defined = (variables: Readonly<Variables>): Variables =>
  Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined));
