import type { Command } from 'commander';
import { CliError, usageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { ask, type Terminal } from './terminal.ts';

/** For what cannot be undone. */
export const withYes = (command: Command): Command => command.option('--yes', 'do not ask for confirmation');

/** Returns when the person said yes, or --yes did. Without a terminal to ask on it is never assumed. */
export async function confirmed(terminal: Terminal, question: string, yes: boolean | undefined): Promise<void> {
  if (yes === true) return;
  if (terminal.stdin.isTTY !== true) {
    throw usageError('This cannot be undone, and there is no terminal to ask on.', 'Add --yes.');
  }
  const answer = await ask(terminal, `${question} [y/N] `);
  if (/^y(es)?$/i.test(answer)) return;
  throw new CliError('Nothing was changed.', {
    code: 'CANCELLED',
    exit: EXIT.failure,
    remedy: 'Answer "y" to go on, or add --yes.',
  });
}
