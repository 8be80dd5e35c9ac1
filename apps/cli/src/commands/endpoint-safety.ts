import type { Command } from 'commander';
import { durationOption, integerOption } from '../options.ts';

/** How carefully an endpoint is changed. */
export interface SafetyOptions {
  readonly onlyIfReady?: boolean;
  readonly notSeenFor?: number;
  /** Milliseconds. */
  readonly revertAfter?: number;
}

/** The API's own limits. */
const SHORTEST_MS = 30_000;
const LONGEST_MS = 86_400_000;

export const notSeenOption = () =>
  integerOption('--not-seen-for <days>', 'delegates gone for longer are not expected back (7 when not given)', 1, 90);

export function withSafety(command: Command): Command {
  return command
    .option('--only-if-ready', 'change nothing while a delegate would be cut off (exit code 6)')
    .addOption(notSeenOption())
    .addOption(
      durationOption(
        '--revert-after <duration>',
        'take the change back after this time, 30s to 24h, unless "endpoint confirm" comes first',
        SHORTEST_MS,
        LONGEST_MS,
      ),
    );
}

export function safetyQuery({ onlyIfReady, notSeenFor, revertAfter }: SafetyOptions) {
  return {
    ...(onlyIfReady === true && { onlyIfReady: 'true' }),
    ...(notSeenFor !== undefined && { notSeenForDays: notSeenFor }),
    ...(revertAfter !== undefined && { revertAfter: `PT${Math.ceil(revertAfter / 1000)}S` }),
  };
}
