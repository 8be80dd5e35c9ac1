import { CliError } from './errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { interceptSignals } from './interruption.ts';

/** A long-running part of Sallyport inside this process. */
export interface Running {
  /** Finishes what is under way and lets go of sockets and files. */
  stop(): Promise<void>;
  /** For what may end by itself: resolves when it has, also after `stop`. */
  readonly ended?: Promise<unknown>;
}

/** Starts it, keeps it until a signal asks for its end or it ends by itself, and returns when it has ended. */
export async function runUntilSignal(start: () => Promise<Running>): Promise<void> {
  const interruption = interceptSignals();
  try {
    const running = await start();
    const asked = new Promise<void>((resolve) => {
      if (interruption.signal.aborted) resolve();
      else interruption.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race(running.ended === undefined ? [asked] : [asked, running.ended]);
    await running.stop();
  } finally {
    interruption.release();
  }
}

/** A start that failed for a reason which its message tells in full, such as the settings that are wrong. */
export function startFailed(what: string, error: unknown, exit: ExitCode): CliError {
  const message = error instanceof Error ? error.message : String(error);
  return new CliError(`${what} did not start. ${message}`, {
    code: exit === EXIT.usage ? 'CONFIGURATION' : 'START_FAILED',
    exit,
    remedy: 'Mend what the message names, then start it again.',
    cause: error,
  });
}
