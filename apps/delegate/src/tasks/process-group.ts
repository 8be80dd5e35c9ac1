import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { TaskOutput } from '../logs/task-logs.ts';
import { OutputBuffer } from './output-buffer.ts';

export interface GroupCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What the processes print passes through it first. */
  readonly output: Pick<TaskOutput, 'stdout' | 'stderr'>;
  /** For each of standard output and standard error. */
  readonly outputLimitBytes: number;
  readonly killGraceMs: number;
  /** Ends the whole group: TERM, and KILL after the grace. */
  readonly signal: AbortSignal;
}

export interface GroupResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: boolean;
}

/** What processes that left the group may hold an output open for, after the command itself has ended. */
const DRAIN_MS = 500;

/**
 * Runs a command as the leader of a process group of its own. When it returns, the command has ended and so has
 * everything it started, except for processes that left the group on purpose. Throws when it can't be started.
 */
export async function runProcessGroup(command: GroupCommand): Promise<GroupResult> {
  command.signal.throwIfAborted();
  const child = spawn(command.command, command.args, {
    cwd: command.workingDirectory,
    env: { ...command.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) {
    const [error] = await once(child, 'error');
    throw new Error(`${command.command} cannot be started here (${error.code ?? 'unknown'}).`);
  }
  const stdout = new OutputBuffer(command.outputLimitBytes);
  const stderr = new OutputBuffer(command.outputLimitBytes);
  const { output } = command;
  child.stdout.on('data', (chunk: Buffer) => stdout.write(output.stdout.write(chunk)));
  child.stderr.on('data', (chunk: Buffer) => stderr.write(output.stderr.write(chunk)));
  const closed = once(child, 'close');
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  let killTimer: NodeJS.Timeout | undefined;
  const terminate = () => {
    signalGroup(pid, 'SIGTERM');
    killTimer = setTimeout(() => signalGroup(pid, 'SIGKILL'), command.killGraceMs);
  };
  command.signal.addEventListener('abort', terminate, { once: true });
  const [exitCode, signal] = await exited;
  command.signal.removeEventListener('abort', terminate);
  clearTimeout(killTimer);
  signalGroup(pid, 'SIGKILL');
  const drained = new AbortController();
  await Promise.race([closed, delay(DRAIN_MS, undefined, { signal: drained.signal }).catch(() => undefined)]);
  drained.abort();
  child.stdout.destroy();
  child.stderr.destroy();
  stdout.write(output.stdout.end());
  stderr.write(output.stderr.end());
  return {
    exitCode,
    signal,
    stdout: stdout.text(),
    stderr: stderr.text(),
    truncated: stdout.truncated || stderr.truncated,
  };
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    // ESRCH: nobody is left in the group. EPERM: whoever is left has changed its user; it is not ours to end.
    if (error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM')) return;
    throw error;
  }
}
