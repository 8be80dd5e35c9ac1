import type { Command } from 'commander';

const EXAMPLES = new WeakMap<Command, string>();

/** Gives a command the example that its help ends with and docs/cli.md shows. */
export function example(command: Command, line: string): Command {
  EXAMPLES.set(command, line);
  return command.addHelpText('after', `\nExample:\n  ${line}`);
}

export const exampleOf = (command: Command): string | undefined => EXAMPLES.get(command);

/** "sallyport endpoint create" */
export function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

/** Every command that does something: those without a verb below them. */
export function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}
