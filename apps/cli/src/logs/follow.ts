import { setTimeout as delay } from 'node:timers/promises';
import type { TaskDetails } from '@sallyport/protocol';
import type { Session } from '../session.ts';
import { isFinished } from '../task-outcome.ts';
import { finished } from '../task-wait.ts';
import type { LogPrinter } from './log-printer.ts';
import { TaskLog } from './task-log.ts';

/** The task has ended: how long its log may be silent until it counts as held up at its delegate. */
const GRACE_MS = 10_000;
/** A task that no delegate has taken has no stream yet. */
const LOOK_AGAIN_MS = 500;

export interface FollowOptions {
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly graceMs?: number;
}

export interface Followed {
  /** The task at its end; null when the signal came first. */
  readonly task: TaskDetails | null;
  /** Its log was closed, and printed to the last line. */
  readonly complete: boolean;
  /** Why the log could not be read; null when it could. The task is none the worse for it. */
  readonly failure: unknown;
}

/** Prints the task's log as it is written until the task has ended and the log is closed. Throws CliError as `finished`. */
export async function followTask(
  session: Session,
  created: TaskDetails,
  printer: LogPrinter,
  { signal, graceMs = GRACE_MS }: FollowOptions,
): Promise<Followed> {
  const stop = new AbortController();
  const log = new TaskLog(session.api, session.account(), created.id);
  const state = { ended: isFinished(created) };
  let quiet: NodeJS.Timeout | undefined;
  const tail = async (): Promise<boolean> => {
    while (!stop.signal.aborted) {
      const { ended } = state;
      for await (const entry of log.stream({ signal: stop.signal })) {
        quiet?.refresh();
        await printer.print(entry);
      }
      if (stop.signal.aborted) return false;
      // Missing, closed, or an hour is over: if the task had ended before, there is no more.
      if (ended) return log.begun || (await printBlob(log, printer, stop.signal)) !== null;
      await delay(LOOK_AGAIN_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
    return false;
  };
  const tailing = tail().then(
    (complete) => ({ complete, failure: null }),
    (failure: unknown) => ({ complete: false, failure }),
  );
  try {
    const task = await finished(session, created, signal);
    state.ended = true;
    if (task === null || signal.aborted) stop.abort();
    else {
      quiet = setTimeout(() => stop.abort(), graceMs);
      signal.addEventListener('abort', () => stop.abort(), { once: true });
    }
    return { task, ...(await tailing) };
  } finally {
    clearTimeout(quiet);
    stop.abort();
    await tailing;
    printer.end();
  }
}

/** Prints what there is of a task's log now. False when there is none. */
export async function printLog(
  session: Session,
  task: TaskDetails,
  printer: LogPrinter,
  signal: AbortSignal,
): Promise<boolean> {
  const log = new TaskLog(session.api, session.account(), task.id);
  try {
    const stored = await printBlob(log, printer, signal);
    const open = await log.openLines();
    // Closed in this moment, perhaps.
    if (open === null) return stored !== null || (await printBlob(log, printer, signal)) !== null;
    // A log that was closed for its silence and goes on: the stream begins with what the blob has.
    let printed = -(stored ?? 0);
    if (open === 0) return true;
    for await (const entry of log.stream({ signal })) {
      if (printed >= 0 || 'missing' in entry) await printer.print(entry);
      printed += 'missing' in entry ? 0 : 1;
      if (printed >= open) break;
    }
    return true;
  } finally {
    printer.end();
  }
}

/** How many lines it has; null when there is none. */
async function printBlob(log: TaskLog, printer: LogPrinter, signal: AbortSignal): Promise<number | null> {
  const lines = await log.blob(signal);
  if (lines === null) return null;
  let printed = 0;
  for await (const line of lines) {
    await printer.print({ line });
    printed += 1;
  }
  return printed;
}
