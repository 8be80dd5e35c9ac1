import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

export interface Line {
  readonly level: string;
  readonly msg: string;
  readonly remedy?: string;
  readonly problems?: readonly string[];
  readonly patch?: unknown;
}

export interface Run {
  readonly exit: number | null;
  readonly lines: readonly Line[];
  /** Everything it printed. */
  readonly text: string;
}

/** The program itself, in a process of its own, to its end. */
export async function runProcess(t: TestContext, environment: Readonly<Record<string, string>>): Promise<Run> {
  const args = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '..', 'src', 'main.ts')];
  const child = spawn(process.execPath, args, { env: { ...environment }, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const text: string[] = [];
  createInterface(child.stdout).on('line', (line) => text.push(line));
  const [exit] = (await once(child, 'close')) as [number | null];
  return { exit, lines: text.map((line) => JSON.parse(line) as Line), text: text.join('\n') };
}
