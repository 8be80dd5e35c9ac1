import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { Environment } from './config/environment.ts';
import { usageError } from './errors.ts';
import type { Output } from './output/output.ts';

/** Values of the options by the name of the script's variable. */
type Named = Readonly<Record<string, string>>;

export interface SecretOptions {
  readonly secret?: Named;
  readonly secretFile?: Named;
  readonly secretEnv?: Named;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The options by which a command takes secrets for a script. */
export function withSecrets(command: Command): Command {
  return command
    .option('--secret <name=value>', 'secret variable of the script, masked in its output; repeat for several', named)
    .option('--secret-file <name=path>', 'the same, read from a file; repeat for several', named)
    .option('--secret-env <name>', 'the same, from the variable of that name here; NAME=OTHER for another', fromHere);
}

/** The secrets that the options name. Throws usage errors that repeat no value. */
export async function readSecrets(
  options: SecretOptions,
  environment: Environment,
  output: Output,
): Promise<Record<string, string>> {
  const { secret = {}, secretFile = {}, secretEnv = {} } = options;
  if (Object.keys(secret).length > 0) {
    output.warn(
      'SECRET_ON_COMMAND_LINE',
      'Other users of this machine can read --secret in the process list: use --secret-env or --secret-file.',
    );
  }
  const secrets: Record<string, string> = { ...secret };
  const add = (name: string, value: string) => {
    if (Object.hasOwn(secrets, name)) throw usageError(`The secret ${name} is given twice.`, 'Give it once.');
    secrets[name] = value;
  };
  for (const [name, path] of Object.entries(secretFile)) add(name, await contentOf(name, path));
  for (const [name, variable] of Object.entries(secretEnv)) {
    const value = environment.variables[variable];
    if (value === undefined || value === '') {
      throw usageError(`The variable ${variable} for the secret ${name} is not set here.`, 'Set it, or name another.');
    }
    add(name, value);
  }
  return secrets;
}

/** Without the line feed that editors put at the end, as a shell reads it. */
async function contentOf(name: string, path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    throw usageError(
      `The file ${path} of the secret ${name} cannot be read.`,
      'Check the path and its permissions.',
      String(error),
    );
  }
}

function named(text: string, previous: Named | undefined): Named {
  const split = text.indexOf('=');
  const name = text.slice(0, Math.max(0, split));
  if (!NAME.test(name)) throw new InvalidArgumentError('Give it as NAME=value.');
  return { ...previous, [name]: text.slice(split + 1) };
}

function fromHere(text: string, previous: Named | undefined): Named {
  const [, name, other] = /^([A-Za-z_][A-Za-z0-9_]*)(?:=([A-Za-z_][A-Za-z0-9_]*))?$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('Give the name of a variable, or NAME=OTHER.');
  return { ...previous, [name]: other ?? name };
}
