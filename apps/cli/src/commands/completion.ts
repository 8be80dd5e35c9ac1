import { Argument, Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion/scripts.ts';
import { example } from '../help.ts';
import type { Tools } from '../session.ts';

export function completionCommand(tools: Tools): Command {
  return example(new Command('completion'), 'source <(sallyport completion bash)')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'the shell that reads it').choices(SHELLS))
    .action((shell: Shell, _options: object, command: Command) => {
      tools.terminal.stdout.write(completionScript(shell, command.parent ?? command));
    });
}
