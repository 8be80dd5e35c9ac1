import type { Writable } from 'node:stream';
import type { LogLine } from '@sallyport/protocol';
import type { Terminal } from '../terminal.ts';
import type { LogEntry } from './task-log.ts';
import { RESET_COLOURS, shownOn } from './terminal-text.ts';

/**
 * Prints a task's log: its standard output to ours, its standard error and the delegate's remarks to ours; as JSON, one
 * line of the log a line. Waits for whoever reads, so that nothing heaps up in between.
 */
export class LogPrinter {
  readonly #terminal: Terminal;
  readonly #json: boolean;
  readonly #noColor: boolean;
  readonly #coloured = new Set<Terminal['stdout']>();
  /** Lines that were printed. */
  printed = 0;

  constructor(terminal: Terminal, options: { readonly json: boolean; readonly noColor: boolean }) {
    this.#terminal = terminal;
    this.#json = options.json;
    this.#noColor = options.noColor;
  }

  async print(entry: LogEntry): Promise<void> {
    const { stdout, stderr } = this.#terminal;
    if ('missing' in entry) {
      if (this.#json) return write(stdout, `${JSON.stringify({ missing: entry.missing })}\n`);
      return write(stderr, `... ${entry.missing} lines are no longer kept\n`);
    }
    this.printed += 1;
    if (this.#json) return write(stdout, `${JSON.stringify(entry.line)}\n`);
    const to = sourceOf(entry.line) === 'stdout' ? stdout : stderr;
    const isTerminal = to.isTTY === true;
    if (isTerminal && entry.line.out.includes('\x1b[')) this.#coloured.add(to);
    await write(to, shownOn({ isTerminal, noColor: this.#noColor }, entry.line.out));
  }

  /** What the script left coloured must not colour the shell's prompt. */
  end(): void {
    if (!this.#noColor) for (const stream of this.#coloured) stream.write(RESET_COLOURS);
    this.#coloured.clear();
  }
}

const sourceOf = ({ args }: LogLine): string => args?.['stream'] ?? 'stdout';

function write(stream: Writable, text: string): Promise<void> {
  if (stream.write(text)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      stream.off('error', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
    stream.on('error', done);
  });
}
