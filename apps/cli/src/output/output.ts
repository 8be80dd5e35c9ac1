import { heading, type Terminal } from '../terminal.ts';
import { printable } from './printable.ts';
import { type Column, table } from './table.ts';

/** Results on standard output, remarks on standard error; each for a person or, with --json, for a program. */
export class Output {
  readonly json: boolean;
  readonly #terminal: Terminal;

  constructor(terminal: Terminal, json: boolean) {
    this.#terminal = terminal;
    this.json = json;
  }

  /** The result: the API's resource as it came for a program, `text` for a person. */
  result(resource: unknown, text: () => string): void {
    this.#terminal.stdout.write(this.json ? `${JSON.stringify(resource ?? null, null, 2)}\n` : text());
  }

  /** A list: an array for a program; for a person a table, or one line that says that there is nothing. */
  list<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty: string): void {
    this.result(rows, () => (rows.length === 0 ? `${empty}\n` : this.table(columns, rows)));
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
    const { stdout } = this.#terminal;
    const width = stdout.isTTY === true && stdout.columns ? stdout.columns : undefined;
    return table(columns, rows, { width, header: (text) => heading(this.#terminal, text) });
  }

  /** Something to know that does not end the command. */
  warn(code: string, message: string): void {
    this.#terminal.stderr.write(
      this.json ? `${JSON.stringify({ warning: { code, message } })}\n` : `${printable(`warning: ${message}`)}\n`,
    );
  }

  /** Progress, for people only. */
  note(message: string): void {
    if (!this.json) this.#terminal.stderr.write(`${printable(message)}\n`);
  }
}
