import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHELL_TASK, type ShellResult } from '@sallyport/protocol';
import { ShellTaskData } from '@sallyport/protocol/schemas';
import { Check } from 'typebox/schema';
import { runProcessGroup } from './process-group.ts';
import { type TaskContext, type TaskHandler, TaskInterruption, type TaskOutcome } from './task-handler.ts';

export interface ShellTaskSettings {
  /** Without the delegate's credentials. */
  readonly environment: Readonly<Record<string, string>>;
  readonly outputLimitBytes: number;
  readonly killGraceMs: number;
}

/**
 * SHELL_SCRIPT: runs the script as the delegate's user, in an empty directory of its own unless the task names one. The
 * script lies in a file that only this user can read, because the arguments of a process are shown to every user.
 */
export function shellTaskHandler(settings: ShellTaskSettings): TaskHandler {
  return {
    type: SHELL_TASK,
    prints: true,
    async run(data, context) {
      if (!Check(ShellTaskData, data)) throw new Error(`The data of a ${SHELL_TASK} task must be { "script": "..." }.`);
      if (data.workingDirectory !== undefined) await checkDirectory(data.workingDirectory);
      const scratch = await mkdtemp(join(tmpdir(), 'sallyport-task-'));
      try {
        return await runScript(data, scratch, settings, context);
      } finally {
        await rm(scratch, { recursive: true, force: true }).catch((error: unknown) => {
          context.logger.warn({ err: error, scratch }, 'the directory of a task could not be removed');
        });
      }
    },
  };
}

async function runScript(
  data: ShellTaskData,
  scratch: string,
  settings: ShellTaskSettings,
  context: TaskContext,
): Promise<TaskOutcome> {
  const script = join(scratch, 'script');
  const work = join(scratch, 'work');
  await writeFile(script, data.script, { mode: 0o600 });
  await mkdir(work, { mode: 0o700 });
  const startedAt = performance.now();
  const result = await runProcessGroup({
    command: data.interpreter ?? 'sh',
    args: [script],
    workingDirectory: data.workingDirectory ?? work,
    environment: { ...settings.environment, ...data.environment, ...context.secrets },
    output: context.output,
    outputLimitBytes: settings.outputLimitBytes,
    killGraceMs: settings.killGraceMs,
    signal: context.signal,
  });
  const { reason } = context.signal;
  const interruption = reason instanceof TaskInterruption ? reason : null;
  const shellResult: ShellResult = {
    ...result,
    timedOut: interruption?.kind === 'timeout',
    durationMs: Math.round(performance.now() - startedAt),
  };
  return { data: shellResult, error: interruption?.message ?? failureOf(shellResult) };
}

function failureOf({ exitCode, signal }: ShellResult): string | null {
  if (exitCode === 0) return null;
  return signal === null ? `The script ended with exit code ${exitCode}.` : `The script was ended by ${signal}.`;
}

/** Node reports a missing directory as if the interpreter were missing. */
async function checkDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isDirectory())
    throw new Error(`The working directory ${path} does not exist on this delegate.`);
}
