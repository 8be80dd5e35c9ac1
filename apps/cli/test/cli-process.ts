import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Outcome } from './captured-terminal.ts';

export const bin = join(import.meta.dirname, '../bin/sallyport.mjs');

/** Starts the command as a user does, with exactly this environment. */
export function startProcess(args: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [bin, ...args], { env: { ...environment }, stdio: 'pipe' });
}

/** Runs the command to its end. */
export async function runProcess(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  stdin = '',
): Promise<Outcome> {
  return outcomeOf(startProcess(args, environment), stdin);
}

export async function outcomeOf(child: ChildProcess, stdin = ''): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin?.end(stdin);
  const [code] = (await once(child, 'close')) as [number | null];
  return { exit: code ?? -1, stdout, stderr };
}
