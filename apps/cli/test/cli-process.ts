import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Outcome } from './captured-terminal.ts';

export const bin = join(import.meta.dirname, '../bin/sallyport.mjs');

/** Where this test run says that CA certificates of the machine are: nowhere, so that no process reads hundreds of them. */
const { SSL_CERT_DIR, SSL_CERT_FILE } = process.env;
const certificatesOfTheMachine: Readonly<Record<string, string>> = {
  ...(SSL_CERT_DIR !== undefined && { SSL_CERT_DIR }),
  ...(SSL_CERT_FILE !== undefined && { SSL_CERT_FILE }),
};

/** Starts the command as a user does, with exactly this environment but for where the machine has its CA certificates. */
export function startProcess(args: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [bin, ...args], {
    env: { ...certificatesOfTheMachine, ...environment },
    stdio: 'pipe',
  });
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
