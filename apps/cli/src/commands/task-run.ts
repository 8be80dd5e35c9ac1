import type { CreateTaskRequest, ShellTaskData, TaskDetails } from '@sallyport/protocol';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { example } from '../help.ts';
import { interceptSignals } from '../interruption.ts';
import { durationOption, repeated } from '../options.ts';
import { readScript } from '../script.ts';
import { readSecrets, type SecretOptions, withSecrets } from '../secret-options.ts';
import { type Session, type Tools, withApi } from '../session.ts';
import { exitOfTask, shellResultOf } from '../task-outcome.ts';
import { finished, pathOfTask, TASKS } from '../task-wait.ts';

interface RunOptions extends SecretOptions {
  readonly delegate?: string;
  readonly tag?: string[];
  readonly script?: string;
  readonly timeout?: number;
  readonly interpreter?: 'sh' | 'bash';
  readonly directory?: string;
  readonly variable?: Record<string, string>;
  readonly detach?: boolean;
  readonly follow?: boolean;
}

export function taskRunCommand(tools: Tools): Command {
  const run = example(new Command('run'), "sallyport task run --delegate edge-1 --timeout 30s -- 'uname -a; uptime'")
    .description('run a shell script on a delegate, wait for it, and end with its exit code; Ctrl-C aborts it')
    .argument('[command...]', 'after --: one word is a line of shell, several are a command and its arguments')
    .option('--delegate <name>', 'only on this delegate')
    .option('--tag <tag>', 'only on a delegate with this tag; repeat for several, which must all be there', repeated)
    .option('--script <file>', 'run this file instead of a command; - for standard input')
    .addOption(
      durationOption('--timeout <duration>', 'for waiting and running together (10m when not given)', 1000, 86_400_000),
    )
    .addOption(new Option('--interpreter <name>', 'sh when not given').choices(['sh', 'bash']))
    .option('--directory <path>', 'working directory on the delegate')
    .option('--variable <name=value>', 'environment variable of the script; repeat for several', variable);
  return withSecrets(run)
    .option(
      '--follow',
      'print what the script prints as it prints it; with --json one line of JSON each, the task last',
    )
    .addOption(new Option('--detach', 'do not wait: show the task as it was created').conflicts('follow'))
    .action((words: string[], options: RunOptions, command: Command) =>
      withApi(tools, command, async (session) => {
        const request = await requestOf(tools, session, words, options);
        const interruption = interceptSignals();
        try {
          const task = await create(session, request);
          if (options.detach === true) {
            session.output.result(task, () => `Task ${task.id} is ${task.status}.\n`);
            return;
          }
          const { task: ended, printed } =
            options.follow === true
              ? await follow(tools, session, task, interruption.signal)
              : { task: await finished(session, task, interruption.signal), printed: false };
          if (ended === null) {
            await abort(session, task);
            tools.setExit(interruption.exitCode() ?? EXIT.taskUnfinished);
          } else {
            report(tools, session, ended, printed);
          }
        } finally {
          interruption.release();
        }
      }),
    );
}

/** The task at its end, and whether what it printed has been shown: an older delegate streams nothing. */
async function follow(
  tools: Tools,
  session: Session,
  created: TaskDetails,
  signal: AbortSignal,
): Promise<{ task: TaskDetails | null; printed: boolean }> {
  const [{ LogPrinter }, { followTask }] = await Promise.all([
    import('../logs/log-printer.ts'),
    import('../logs/follow.ts'),
  ]);
  const { output } = session;
  const printer = new LogPrinter(tools.terminal, { json: output.json, noColor: tools.environment.noColor });
  const { task, complete, failure } = await followTask(session, created, printer, { signal });
  const printed = printer.printed > 0;
  if (failure !== null) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    output.warn('LOG_UNAVAILABLE', `The live log could not be read to its end: ${reason}`);
  } else if (task !== null && printed && !complete) {
    output.warn(
      'LOG_INCOMPLETE',
      `The delegate has not delivered all of the log: look later with "sallyport task logs ${created.id}".`,
    );
  }
  return { task, printed: printed || output.json };
}

async function requestOf(
  tools: Tools,
  { output }: Session,
  words: readonly string[],
  options: RunOptions,
): Promise<CreateTaskRequest> {
  const { delegate, tag = [], timeout, interpreter, directory, variable: environment } = options;
  const data: ShellTaskData = {
    script: await readScript(tools.terminal, words, options.script),
    ...(interpreter === undefined ? {} : { interpreter }),
    ...(directory === undefined ? {} : { workingDirectory: directory }),
    ...(environment === undefined ? {} : { environment }),
  };
  const secrets = await readSecrets(options, tools.environment, output);
  const { SHELL_TASK } = await import('@sallyport/protocol');
  return {
    type: SHELL_TASK,
    data,
    ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
    selectors: delegate === undefined ? tag : [delegate, ...tag],
    ...(timeout === undefined ? {} : { timeout }),
  };
}

async function create({ api, account }: Session, body: CreateTaskRequest): Promise<TaskDetails> {
  const { resource } = await api.call<TaskDetails>('POST', TASKS, { query: { accountIdentifier: account() }, body });
  return resource;
}

async function abort({ api, account, output }: Session, task: TaskDetails): Promise<void> {
  output.note(`Aborting task ${task.id} ...`);
  const query = { accountIdentifier: account() };
  const { resource } = await api.call<TaskDetails>('POST', `${pathOfTask(task.id)}/abort`, { query });
  output.result(resource, () => '');
  output.note(`Task ${task.id} is ${resource.status}.`);
}

function report(tools: Tools, { output }: Session, task: TaskDetails, printed: boolean): void {
  const shell = shellResultOf(task);
  if (!printed) {
    // As it came, as with ssh: it is the caller's own script that speaks to the caller's terminal.
    output.result(task, () => shell?.stdout ?? '');
    if (shell !== null && !output.json) tools.terminal.stderr.write(shell.stderr);
  } else if (output.json) tools.terminal.stdout.write(`${JSON.stringify({ task })}\n`);
  if (shell?.truncated === true && !printed) {
    output.warn('OUTPUT_TRUNCATED', 'The delegate dropped output beyond its limit: write it to a file there instead.');
  }
  if (shell?.timedOut === true) {
    output.warn(
      'TIMED_OUT',
      `The script was ended because its time of ${task.timeout / 1000} s was up: give a longer --timeout.`,
    );
  }
  const exit = exitOfTask(task);
  if (exit !== EXIT.taskUnfinished || (shell !== null && shell.exitCode === exit)) {
    tools.setExit(exit);
    return;
  }
  const of = task.delegateName === null ? '' : ` on delegate "${task.delegateName}"`;
  throw new CliError(`Task ${task.id} ended as ${task.status}${of}: ${task.error ?? 'no reason was given'}.`, {
    code: `TASK_${task.status}`,
    exit: EXIT.taskUnfinished,
    remedy:
      task.status === 'EXPIRED'
        ? 'See with "sallyport delegate list" whether a delegate with that name and those tags is connected, or give a longer --timeout.'
        : `Look at it with "sallyport task show ${task.id}", then run it again.`,
  });
}

function variable(text: string, previous: Record<string, string> | undefined): Record<string, string> {
  const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Give it as NAME=value.');
  return { ...previous, [name]: value };
}
