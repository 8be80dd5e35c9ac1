import type { Command } from 'commander';
import type { Api } from './api.ts';
import type { Environment } from './config/environment.ts';
import { type Connection, type GlobalOptions, resolveConnection } from './connection.ts';
import { usageError } from './errors.ts';
import { Output } from './output/output.ts';
import { type Profiles, readProfiles } from './profiles.ts';
import type { Terminal } from './terminal.ts';

/** What a command gets from the process that runs it. */
export interface Tools {
  readonly environment: Environment;
  readonly terminal: Terminal;
  readonly now: () => number;
  /** Milliseconds since the process was started; absent where no process is one command. */
  readonly sinceStart?: () => number;
  /** The number that the process ends with when nothing is thrown: `task run` sets its script's. */
  readonly setExit: (code: number) => void;
}

/** A command that talks to the API, from its first call to its last. */
export interface Session {
  readonly api: Api;
  readonly connection: Connection;
  readonly output: Output;
  /** The account that the command is about. Throws when nothing names one. */
  account(): string;
}

export const outputOf = (tools: Tools, command: Command): Output =>
  new Output(tools.terminal, command.optsWithGlobals<GlobalOptions>().json === true);

/** Reads the profiles and warns about a file that others can read. */
export async function storedProfiles(tools: Tools, output: Output): Promise<Profiles> {
  const stored = await readProfiles(tools.environment.configDirectory);
  if (stored.readableByOthers) {
    output.warn('PROFILE_READABLE', `${stored.file} holds API keys and other users can read it: run chmod 600 on it.`);
  }
  return stored;
}

/** Finds the connection, opens the client, does the work and closes the client, whatever happens. */
export async function withApi(
  tools: Tools,
  command: Command,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const output = outputOf(tools, command);
  const options = command.optsWithGlobals<GlobalOptions>();
  if (options.apiKey !== undefined) warnOfKeyOnCommandLine(output);
  const connection = resolveConnection(options, tools.environment, await storedProfiles(tools, output));
  // Loaded here: help, completion and wrong usage answer without the weight of an HTTP client.
  const { openApi } = await import('./api.ts');
  const api = await openApi(connection, tools.environment.variables);
  try {
    await work({ api, connection, output, account: () => accountOf(connection) });
  } finally {
    await api.close();
  }
}

export function warnOfKeyOnCommandLine(output: Output): void {
  output.warn(
    'KEY_ON_COMMAND_LINE',
    'Other users of this machine can read --api-key in the process list: use a profile or SALLYPORT_API_KEY.',
  );
}

export function accountOf(connection: Pick<Connection, 'account'>): string {
  if (connection.account !== undefined) return connection.account;
  throw usageError(
    'No account is named.',
    'Give --account ACCOUNT, set SALLYPORT_ACCOUNT, or store one with "sallyport login --account ACCOUNT".',
  );
}
