import { PassThrough, Writable } from 'node:stream';
import { readEnvironment } from '../src/config/environment.ts';
import { runProgram } from '../src/program.ts';

class Captured extends Writable {
  readonly isTTY: boolean;
  readonly columns: number;
  text = '';
  constructor(columns: number | undefined) {
    super({ decodeStrings: false });
    this.isTTY = columns !== undefined;
    this.columns = columns ?? 0;
  }
  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

export interface Outcome {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Width of a terminal; without it the streams are pipes. */
  readonly columns?: number;
  readonly now?: number;
}

/** Runs one command line inside this process, with real streams of its own and nothing of this process's environment. */
export async function runCommand(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const stdin = new PassThrough();
  stdin.end(options.stdin ?? '');
  const stdout = new Captured(options.columns);
  const stderr = new Captured(options.columns);
  // A folder that does not exist: the profiles of whoever runs the tests must not be seen.
  const variables = { SALLYPORT_CONFIG_DIR: '/nonexistent/sallyport', ...options.environment };
  const exit = await runProgram(args, {
    environment: readEnvironment(variables),
    terminal: { stdin, stdout, stderr },
    now: () => options.now ?? Date.UTC(2026, 0, 1),
    sinceStart: () => 12.5,
  });
  return { exit, stdout: stdout.text, stderr: stderr.text };
}
