import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface DelegateProcessOptions {
  readonly name: string;
  /** The whole environment that the delegate gets on top of PATH and HOME. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Called with the message of each log line that is a warning or worse. */
  readonly onTrouble: (message: string) => void;
}

const TROUBLE: readonly unknown[] = ['warn', 'error', 'fatal'];
/** Longer than a demonstration task takes, shorter than anybody waits for Ctrl-C. */
const STOP_WITHIN_MS = 10_000;
const MAIN = fileURLToPath(import.meta.resolve('@sallyport/delegate/main'));

/** A delegate as a process of its own, as it would run on a customer's machine. */
export class DelegateProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #stopping = false;

  constructor(options: DelegateProcessOptions, variables: Readonly<Record<string, string | undefined>>) {
    this.name = options.name;
    const { PATH = '', HOME = '' } = variables;
    this.#child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
      env: { PATH, HOME, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Its own process group: Ctrl-C is for the demonstration, which ends its delegates in order.
      detached: true,
    });
    const log = createWriteStream(options.logFile, { flags: 'a', mode: 0o600 });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`);
        const trouble = troubleIn(line);
        if (trouble !== null && !this.#stopping) options.onTrouble(trouble);
      });
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        options.onTrouble(`did not start: ${error.message}`);
        resolve();
      });
      this.#child.once('exit', (code, signal) => {
        if (!this.#stopping)
          options.onTrouble(`ended by itself (${signal ?? `exit code ${code}`}); its log is ${options.logFile}`);
        log.end(resolve);
      });
    });
  }

  /** Asks it to finish and resolves when it is gone; one that does not go in time is killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#child.kill('SIGTERM');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WITHIN_MS);
    await this.#ended;
    clearTimeout(force);
  }
}

function troubleIn(line: string): string | null {
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== 'object' || entry === null || !('level' in entry) || !('msg' in entry)) return null;
    return TROUBLE.includes(entry.level) ? String(entry.msg) : null;
  } catch (error) {
    // Not a log line: what a crash prints.
    if (error instanceof SyntaxError) return line;
    throw error;
  }
}
