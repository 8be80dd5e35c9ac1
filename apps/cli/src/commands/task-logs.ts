import type { TaskDetails } from '@sallyport/protocol';
import { Command } from 'commander';
import { example } from '../help.ts';
import { interceptSignals } from '../interruption.ts';
import { type Session, type Tools, withApi } from '../session.ts';
import { isFinished } from '../task-outcome.ts';
import { pathOfTask } from '../task-wait.ts';

interface LogsOptions {
  readonly follow?: boolean;
}

export function taskLogsCommand(tools: Tools): Command {
  return example(new Command('logs'), 'sallyport task logs 0197f0c2-6f1e-7a51-9d0e-3f4a5b6c7d8e --follow')
    .description(
      "print a task's log: what it wrote to its standard output and error, each to ours; --json: one line each",
    )
    .argument('<task>', 'id of the task')
    .option('--follow', 'go on until the task has ended and its log is closed; Ctrl-C ends the printing, not the task')
    .action((id: string, { follow }: LogsOptions, command: Command) =>
      withApi(tools, command, async (session) => {
        const { api, account } = session;
        const query = { accountIdentifier: account() };
        const { resource: task } = await api.call<TaskDetails>('GET', pathOfTask(id), { query });
        const interruption = interceptSignals();
        try {
          await print(tools, session, task, follow === true, interruption.signal);
          const exit = interruption.exitCode();
          if (exit !== null) tools.setExit(exit);
        } finally {
          interruption.release();
        }
      }),
    );
}

async function print(
  tools: Tools,
  session: Session,
  task: TaskDetails,
  wanted: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { output } = session;
  const [{ LogPrinter }, { followTask, printLog }, { TaskLog }] = await Promise.all([
    import('../logs/log-printer.ts'),
    import('../logs/follow.ts'),
    import('../logs/task-log.ts'),
  ]);
  // Of a task that has ended, the log may be on its way still: its delegate delivers what it could not before.
  const follow =
    wanted && (!isFinished(task) || (await new TaskLog(session.api, session.account(), task.id).openLines()) !== null);
  const { noColor } = tools.environment;
  const printer = new LogPrinter(tools.terminal, { json: output.json, noColor });
  if (!follow) {
    if (await printLog(session, task, printer, signal)) return;
    output.note(
      isFinished(task) ? `Task ${task.id} has no log.` : `Task ${task.id} has no log yet: add --follow to wait.`,
    );
    return;
  }
  const { task: ended, complete, failure } = await followTask(session, task, printer, { signal });
  if (ended === null || signal.aborted) return;
  if (failure !== null) throw failure;
  if (!complete) {
    output.warn(
      'LOG_INCOMPLETE',
      `Task ${task.id} has ended, but not all of its log is here: its delegate may still deliver it, look again later.`,
    );
  }
  output.note(`Task ${task.id} is ${ended.status}.`);
}
