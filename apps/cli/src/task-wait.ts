import { setTimeout as delay } from 'node:timers/promises';
import type { TaskDetails } from '@sallyport/protocol';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import type { Session } from './session.ts';
import { isFinished } from './task-outcome.ts';

export const TASKS = '/ng/api/tasks';
/** The longest that the API holds an answer. */
const WAIT_SECONDS = 25;
/** A restart of the control plane takes seconds; a task outlives it, and so does waiting for one. */
const GIVE_UP_AFTER_MS = 60_000;

export const pathOfTask = (id: string): string => `${TASKS}/${encodeURIComponent(id)}`;

/** The task once it is over; null when `signal` aborted before that. Goes on through a minute without contact. */
export async function finished(
  session: Session,
  created: TaskDetails,
  signal: AbortSignal,
): Promise<TaskDetails | null> {
  const query = { accountIdentifier: session.account(), waitSeconds: WAIT_SECONDS };
  const path = pathOfTask(created.id);
  const { Backoff } = await import('@sallyport/client');
  const backoff = new Backoff({ baseMs: 500, maxMs: 5000 });
  let task = created;
  let lostAt: number | null = null;
  while (!isFinished(task)) {
    if (signal.aborted) return null;
    try {
      task = (await session.api.call<TaskDetails>('GET', path, { query, signal })).resource;
      lostAt = null;
      backoff.reset();
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof CliError) || error.exit !== EXIT.unreachable) throw error;
      if (lostAt === null) session.output.note(`${error.message} Trying again; the task goes on.`);
      lostAt ??= performance.now();
      if (performance.now() - lostAt > GIVE_UP_AFTER_MS) throw contactLost(created.id, error);
      await delay(backoff.next(), undefined, { signal }).catch(() => undefined);
    }
  }
  return task;
}

/** Losing the control plane doesn't end the task: the error says how to find it again. */
function contactLost(id: string, error: CliError): CliError {
  return new CliError(error.message, {
    code: error.code,
    exit: error.exit,
    remedy: `The task goes on without you: look at it later with "sallyport task show ${id}". ${error.remedy}`,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    cause: error,
  });
}
