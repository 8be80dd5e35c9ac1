import { homedir } from 'node:os';
import { join } from 'node:path';

type Variables = Readonly<Record<string, string | undefined>>;

/** What the command line takes from its environment. Empty values count as absent. */
export interface Environment {
  readonly url: string | undefined;
  readonly apiKey: string | undefined;
  readonly caFile: string | undefined;
  readonly profile: string | undefined;
  readonly account: string | undefined;
  /** Scripts' output is shown without its colours. */
  readonly noColor: boolean;
  /** Folder of profiles.json. */
  readonly configDirectory: string;
  /** All of it, for the programs that `serve` and `delegate run` start. */
  readonly variables: Variables;
}

/** Named in docs/cli.md, which is checked against this list. */
export const ENVIRONMENT_NAMES = [
  'SALLYPORT_URL',
  'SALLYPORT_API_KEY',
  'SALLYPORT_CA_FILE',
  'SALLYPORT_PROFILE',
  'SALLYPORT_ACCOUNT',
  'SALLYPORT_CONFIG_DIR',
  'XDG_CONFIG_HOME',
  'NO_COLOR',
] as const;

/** Reads this process's environment unless another one is given. */
export function readEnvironment(variables: Variables = process.env): Environment {
  const value = (name: (typeof ENVIRONMENT_NAMES)[number]): string | undefined => {
    const text = variables[name]?.trim();
    return text === '' ? undefined : text;
  };
  return {
    url: value('SALLYPORT_URL'),
    apiKey: value('SALLYPORT_API_KEY'),
    caFile: value('SALLYPORT_CA_FILE'),
    profile: value('SALLYPORT_PROFILE'),
    account: value('SALLYPORT_ACCOUNT'),
    noColor: value('NO_COLOR') !== undefined,
    configDirectory:
      value('SALLYPORT_CONFIG_DIR') ?? join(value('XDG_CONFIG_HOME') ?? join(homedir(), '.config'), 'sallyport'),
    variables,
  };
}
