import { Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { CliError, errorAsJson, formatError, unexpected, usageError } from './errors.ts';
import { EXIT, EXIT_MEANINGS } from './exit-codes.ts';
import { fullName } from './help.ts';
import { checkRequired } from './options.ts';
import type { Tools } from './session.ts';

/** Every noun with what makes it. Loaded when a command line names it: all of them together cost half a second and more. */
const NOUNS = {
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  login: async () => (await import('./commands/login.ts')).loginCommand,
  logout: async () => (await import('./commands/login.ts')).logoutCommand,
  account: async () => (await import('./commands/account.ts')).accountCommand,
  key: async () => (await import('./commands/key.ts')).keyCommand,
  endpoint: async () => (await import('./commands/endpoint.ts')).endpointCommand,
  token: async () => (await import('./commands/token.ts')).tokenCommand,
  delegate: async () => (await import('./commands/delegate.ts')).delegateCommand,
  task: async () => (await import('./commands/task.ts')).taskCommand,
  upgrade: async () => (await import('./commands/upgrade.ts')).upgradeCommand,
  upgrader: async () => (await import('./commands/upgrader.ts')).upgraderCommand,
  cert: async () => (await import('./commands/cert.ts')).certCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  manifest: async () => (await import('./commands/manifest.ts')).manifestCommand,
  demo: async () => (await import('./commands/demo.ts')).demoCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand,
} satisfies Record<string, () => Promise<(tools: Tools) => Command>>;

/**
 * The command line as commander's tree: the whole of it, or what `args` need. Nothing is read or sent before it is given
 * arguments.
 */
export async function buildProgram(tools: Tools, args: readonly string[] = []): Promise<Command> {
  const program = withGlobalOptions(new Command('sallyport'))
    .description('mTLS endpoints for delegates: run the control plane, and manage it from anywhere')
    .version(manifest.version, '-V, --version', 'print the version')
    .helpCommand(false)
    .hook('preAction', (_program, command) => checkRequired(command))
    .addHelpText('after', `\n${exitCodesText()}`);
  const noun = nounOf(args);
  for (const load of noun === null ? Object.values(NOUNS) : [NOUNS[noun]]) program.addCommand((await load())(tools));
  equip(program, tools);
  return program;
}

const withGlobalOptions = (command: Command): Command =>
  command
    .option('--url <url>', "the control plane's public address, https://HOST:PORT")
    .option('--api-key <key>', 'API key (visible in the process list: prefer a profile or SALLYPORT_API_KEY)')
    .option('--ca <file>', "PEM file with the CA of the control plane's certificate")
    .option('--profile <name>', 'use this profile of "sallyport login"')
    .option('--account <account>', 'the account that the command is about')
    .option('--json', 'print the result as JSON, and errors as JSON on standard error');

/** The one noun that is enough for these arguments; null when none is: help, a misspelt noun, the completion of all. */
function nounOf(args: readonly string[]): keyof typeof NOUNS | null {
  const reader = withGlobalOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  try {
    const [word = ''] = reader.parseOptions([...args]).operands;
    return Object.hasOwn(NOUNS, word) && word !== 'completion' ? (word as keyof typeof NOUNS) : null;
  } catch (error) {
    // A global option without its value: the whole tree's parser says so.
    if (error instanceof CommanderError) return null;
    throw error;
  }
}

/** Runs one command line (without the program's name) and answers with the exit code. Never throws. */
export async function runProgram(args: readonly string[], tools: Omit<Tools, 'setExit'>): Promise<number> {
  let exit: number = EXIT.ok;
  const program = await buildProgram({ ...tools, setExit: (code) => (exit = code) }, args);
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
