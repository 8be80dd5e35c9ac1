import { createInterface } from 'node:readline';
import { type Readable, Writable } from 'node:stream';
import { styleText } from 'node:util';
import { CliError, usageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** The three streams of a process, with what a terminal adds to them. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

/** Bold on a terminal that shows it; plain into a pipe or a file, and where NO_COLOR is set. */
export function heading(terminal: Terminal, text: string): string {
  if (terminal.stdout.isTTY !== true) return text;
  return styleText('bold', text, { stream: terminal.stdout, validateStream: true });
}

/** Reads standard input to its end as UTF-8. Above the limit it stops reading: a wrong file, or an endless one. */
export async function readAll(stdin: Readable, limitBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > limitBytes)
      throw usageError(`Standard input is longer than ${limitBytes} bytes.`, 'Check what is piped in.');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Asks on the terminal (on standard error, so that a redirected output stays clean). Echoes nothing when `secret`. */
export async function ask(terminal: Terminal, question: string, options: { secret?: boolean } = {}): Promise<string> {
  const secret = options.secret === true;
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: terminal.stdin, output: secret ? silent : terminal.stderr, terminal: secret });
  // After the interface, which has switched the terminal's echo off: what is typed at the prompt must not show.
  terminal.stderr.write(question);
  try {
    return await new Promise<string>((resolve, reject) => {
      const given = (line: string) => resolve(line.trim());
      const withdrawn = () =>
        reject(
          new CliError('Nothing was entered.', {
            code: 'CANCELLED',
            exit: EXIT.failure,
            remedy: 'Run the command again when you have the answer.',
          }),
        );
      lines.once('line', given);
      lines.once('SIGINT', withdrawn);
      lines.once('close', withdrawn);
    });
  } finally {
    lines.close();
    if (secret) terminal.stderr.write('\n');
  }
}
