import type { TaskDetails, TaskStatus } from '@sallyport/protocol';
import { Command, Option } from 'commander';
import { example } from '../help.ts';
import { integerOption, oneOf } from '../options.ts';
import { formatDuration, formatTime, orDash } from '../output/format.ts';
import { fields } from '../output/table.ts';
import { type Tools, withApi } from '../session.ts';
import { shellResultOf } from '../task-outcome.ts';
import { pathOfTask, TASKS } from '../task-wait.ts';
import { taskLogsCommand } from './task-logs.ts';
import { taskRunCommand } from './task-run.ts';

const STATUSES = {
  queued: 'QUEUED',
  running: 'RUNNING',
  succeeded: 'SUCCEEDED',
  failed: 'FAILED',
  aborted: 'ABORTED',
  expired: 'EXPIRED',
} as const satisfies Record<string, TaskStatus>;

export function taskCommand(tools: Tools): Command {
  const task = new Command('task').description('tasks that delegates run');
  task.addCommand(taskRunCommand(tools));
  task.addCommand(taskLogsCommand(tools));

  example(task.command('list'), 'sallyport task list --status failed --limit 20')
    .description('list tasks, newest first')
    .addOption(
      new Option('--status <status>', 'only these')
        .choices(Object.keys(STATUSES))
        .argParser(oneOf<TaskStatus>(STATUSES)),
    )
    .addOption(integerOption('--limit <number>', 'at most so many (50 when not given)', 1, 500))
    .option('--before <task>', 'only tasks older than this one: the next page')
    .action(({ status, limit, before }: { status?: TaskStatus; limit?: number; before?: string }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account(), status, limit, before };
        const rows = await api.list<TaskDetails>('GET', TASKS, { query });
        output.list(
          rows,
          [
            { title: 'TASK', value: (row) => row.id },
            { title: 'STATUS', value: (row) => row.status },
            { title: 'TYPE', value: (row) => row.type },
            { title: 'DELEGATE', value: (row) => orDash(row.delegateName) },
            { title: 'CREATED', value: (row) => formatTime(row.createdAt) },
            { title: 'TOOK', value: tookOf },
            { title: 'ERROR', value: (row) => orDash(row.error) },
          ],
          'There are no tasks.',
        );
      }),
    );

  example(task.command('show'), 'sallyport task show 0197f0c2-6f1e-7a51-9d0e-3f4a5b6c7d8e')
    .description('show a task and what came of it')
    .argument('<task>', 'id of the task')
    .action((id: string, _options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account() };
        const { resource } = await api.call<TaskDetails>('GET', pathOfTask(id), { query });
        output.result(resource, () => describe(resource));
      }),
    );

  example(task.command('abort'), 'sallyport task abort 0197f0c2-6f1e-7a51-9d0e-3f4a5b6c7d8e')
    .description('abort a task that is waiting or running')
    .argument('<task>', 'id of the task')
    .action((id: string, _options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account() };
        const { resource } = await api.call<TaskDetails>('POST', `${pathOfTask(id)}/abort`, { query });
        output.result(resource, () => describe(resource));
      }),
    );
  return task;
}

const tookOf = (task: TaskDetails): string =>
  task.startedAt === null || task.finishedAt === null ? '-' : formatDuration(task.finishedAt - task.startedAt);

function describe(task: TaskDetails): string {
  const shell = shellResultOf(task);
  return fields([
    ['Task', task.id],
    ['Status', task.status],
    ['Type', task.type],
    ['Delegate', orDash(task.delegateName)],
    ['Selectors', orDash(task.selectors.join(', '))],
    ['Timeout', formatDuration(task.timeout)],
    ['Created', formatTime(task.createdAt)],
    ['Started', formatTime(task.startedAt)],
    ['Finished', formatTime(task.finishedAt)],
    ['Error', orDash(task.error)],
    ...(shell === null
      ? [['Result', task.result === null ? '-' : JSON.stringify(task.result, null, 2)] as const]
      : ([
          ['Exit code', shell.exitCode === null ? '-' : String(shell.exitCode)],
          ['Standard output', orDash(shell.stdout)],
          ['Standard error', orDash(shell.stderr)],
        ] as const)),
  ]);
}
