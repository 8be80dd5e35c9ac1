import { Command, type CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { accountCommand } from './commands/account.ts';
import { certCommand } from './commands/cert.ts';
import { completionCommand } from './commands/completion.ts';
import { delegateCommand } from './commands/delegate.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { endpointCommand } from './commands/endpoint.ts';
import { keyCommand } from './commands/key.ts';
import { loginCommand, logoutCommand } from './commands/login.ts';
import { manifestCommand } from './commands/manifest.ts';
import { serveCommand } from './commands/serve.ts';
import { taskCommand } from './commands/task.ts';
import { tokenCommand } from './commands/token.ts';
import { upgradeCommand } from './commands/upgrade.ts';
import { upgraderCommand } from './commands/upgrader.ts';
import { CliError, errorAsJson, formatError, unexpected, usageError } from './errors.ts';
import { EXIT, EXIT_MEANINGS } from './exit-codes.ts';
import { fullName } from './help.ts';
import { checkRequired } from './options.ts';
import type { Tools } from './session.ts';

/** The whole command line as commander's tree. Nothing is read or sent before it is given arguments. */
export function buildProgram(tools: Tools): Command {
  const program = new Command('sallyport')
    .description('mTLS endpoints for delegates: run the control plane, and manage it from anywhere')
    .option('--url <url>', "the control plane's public address, https://HOST:PORT")
    .option('--api-key <key>', 'API key (visible in the process list: prefer a profile or SALLYPORT_API_KEY)')
    .option('--ca <file>', "PEM file with the CA of the control plane's certificate")
    .option('--profile <name>', 'use this profile of "sallyport login"')
    .option('--account <account>', 'the account that the command is about')
    .option('--json', 'print the result as JSON, and errors as JSON on standard error')
    .version(manifest.version, '-V, --version', 'print the version')
    .helpCommand(false)
    .hook('preAction', (_program, command) => checkRequired(command))
    .addHelpText('after', `\n${exitCodesText()}`);
  for (const noun of [
    serveCommand,
    loginCommand,
    logoutCommand,
    accountCommand,
    keyCommand,
    endpointCommand,
    tokenCommand,
    delegateCommand,
    taskCommand,
    upgradeCommand,
    upgraderCommand,
    certCommand,
    doctorCommand,
    manifestCommand,
    demoCommand,
    completionCommand,
  ]) {
    program.addCommand(noun(tools));
  }
  equip(program, tools);
  return program;
}

/** Runs one command line (without the program's name) and answers with the exit code. Never throws. */
export async function runProgram(args: readonly string[], tools: Omit<Tools, 'setExit'>): Promise<number> {
  let exit: number = EXIT.ok;
  const program = buildProgram({ ...tools, setExit: (code) => (exit = code) });
  try {
    await program.parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof HelpShown) return EXIT.ok;
    const failure = error instanceof CliError ? error : unexpected(error);
    tools.terminal.stderr.write(wantsJson(args) ? errorAsJson(failure) : formatError(failure));
    return failure.exit;
  }
}

class HelpShown extends Error {}

/** Gives every command of the tree the same manners: global options in its help, our errors instead of an exit. */
function equip(command: Command, { terminal }: Pick<Tools, 'terminal'>): void {
  command
    .helpOption('-h, --help', 'print this help')
    .configureHelp({ showGlobalOptions: command.parent !== null })
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      // Usage errors come back as an exception and are printed once, in three parts.
      writeErr: () => undefined,
      getOutHelpWidth: () => terminal.stdout.columns ?? 100,
      getOutHasColors: () => false,
    })
    .exitOverride((error) => {
      if (error.code === 'commander.helpDisplayed' || error.code === 'commander.version') throw new HelpShown();
      throw usageErrorOf(error, command);
    });
  for (const child of command.commands) equip(child, { terminal });
}

function usageErrorOf(error: CommanderError, command: Command): CliError {
  const help = `Run "${fullName(command)} --help".`;
  if (error.code === 'commander.help') {
    const verbs = command.commands.map((child) => child.name()).join(', ');
    return usageError(`"${fullName(command)}" needs a command: ${verbs}.`, help);
  }
  // `cert inspect "$(cat client.key)"` begins with a dash: the parser's words would show the whole key.
  if (error.message.includes('-----BEGIN '))
    return usageError('The content of a file was given, where a path or another value belongs.', help);
  const [, message = error.message, suggestion] =
    /^(?:error: )?(.*?)(?:\n\((Did you mean .*)\))?$/s.exec(error.message) ?? [];
  return usageError(`${message}.`.replace(/\.\.$/, '.'), suggestion === undefined ? help : `${suggestion} ${help}`);
}

/** Also when the command line could not be understood: whoever asked for JSON reads the error as JSON. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end === -1 ? args : args.slice(0, end)).includes('--json');
}

function exitCodesText(): string {
  const lines = Object.entries(EXIT).map(([name, code]) => `  ${code}  ${EXIT_MEANINGS[name as keyof typeof EXIT]}`);
  return `Exit codes:\n${lines.join('\n')}\n  task run ends with the exit code of the script that it ran.`;
}
