import { constants } from 'node:os';
import type { ShellResult, TaskDetails } from '@sallyport/protocol';
import { EXIT, EXIT_TIMED_OUT, exitOfSignal } from './exit-codes.ts';

/** The result of a shell task, or null when the task has none: not finished, failed before it ran, of another type. */
export function shellResultOf(task: Pick<TaskDetails, 'result'>): ShellResult | null {
  const { result } = task;
  if (typeof result !== 'object' || result === null) return null;
  return 'stdout' in result && 'stderr' in result && 'exitCode' in result ? (result as ShellResult) : null;
}

export const isFinished = (task: Pick<TaskDetails, 'status'>): boolean =>
  task.status !== 'QUEUED' && task.status !== 'RUNNING';

/**
 * What `task run` ends with. As with ssh and timeout(1): the script's own exit code when it ran to an end, 128 + n when
 * signal n ended it, 124 when its time was up; 7 when there is no such end.
 */
export function exitOfTask(task: Pick<TaskDetails, 'status' | 'result'>): number {
  const shell = shellResultOf(task);
  if (task.status === 'ABORTED' || task.status === 'EXPIRED' || shell === null) return EXIT.taskUnfinished;
  if (shell.timedOut) return EXIT_TIMED_OUT;
  if (shell.exitCode === null) return exitOfSignal(shell.signal === null ? null : signalNumber(shell.signal));
  // A task that failed although its script ended well must not pass for a success.
  return shell.exitCode === 0 && task.status === 'FAILED' ? EXIT.taskUnfinished : shell.exitCode;
}

function signalNumber(name: string): number | null {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return numbers[name] ?? null;
}
