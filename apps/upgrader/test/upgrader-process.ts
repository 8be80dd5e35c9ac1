import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { runUpgrader } from '@sallyport/upgrader';

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

/** Arguments of Node for the program itself. */
export const MAIN = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '..', 'src', 'main.mjs')];

/** The program itself, in a process of its own, to its end. */
export async function runProcess(t: TestContext, environment: Readonly<Record<string, string>>): Promise<Run> {
  const child = spawn(process.execPath, MAIN, { env: { ...environment }, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const text: string[] = [];
  createInterface(child.stdout).on('line', (line) => text.push(line));
  const [exit] = (await once(child, 'close')) as [number | null];
  return { exit, lines: text.map((line) => JSON.parse(line) as Line), text: text.join('\n') };
}

/** The program in this process: as `runProcess`, without the seconds that loading it costs each time. */
export async function runHere(environment: Readonly<Record<string, string>>): Promise<Run> {
  const output = new PassThrough();
  const text: string[] = [];
  output.on('data', (chunk) => text.push(String(chunk)));
  const exit = await runUpgrader(environment, undefined, output);
  const whole = text.join('').trimEnd();
  return { exit, lines: whole === '' ? [] : whole.split('\n').map((line) => JSON.parse(line) as Line), text: whole };
}
