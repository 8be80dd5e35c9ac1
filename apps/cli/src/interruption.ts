import { constants } from 'node:os';
import { exitOfSignal } from './exit-codes.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Ending = (typeof SIGNALS)[number];

/** Ctrl-C and its relatives, turned from an end of the process into something that a command answers. */
export interface Interruption {
  /** Aborts with the first signal. */
  readonly signal: AbortSignal;
  /** 128 + n of that signal; null while there was none. */
  exitCode(): number | null;
  /** Gives the signals back to the process. */
  release(): void;
}

/**
 * From here on the first signal aborts. A person's second Ctrl-C ends the process at once; a supervisor that repeats
 * itself must not lose a result by it.
 */
export function interceptSignals(): Interruption {
  const controller = new AbortController();
  let received: Ending | null = null;
  const onSignal = (name: Ending) => {
    if (received !== null && name === 'SIGINT') process.exit(exitOfSignal(constants.signals[name]));
    received ??= name;
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    exitCode: () => (received === null ? null : exitOfSignal(constants.signals[received])),
    release: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
