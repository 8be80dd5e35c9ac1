import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { LogLine } from '@sallyport/protocol';
import { Type } from 'typebox';
import { Check } from 'typebox/value';

/** Bytes of lines in all files of one folder together. */
export interface SpoolBudget {
  readonly limit: number;
  used: number;
}

/** What must be known to deliver a spool that a delegate left behind. The token is good for this one stream. */
export const SpoolHeader = Type.Object({
  accountId: Type.String(),
  taskId: Type.String(),
  key: Type.String(),
  token: Type.String(),
});
export type SpoolHeader = Type.Static<typeof SpoolHeader>;

export interface SpoolState {
  /** The service has opened the stream: opening it again would empty it. */
  readonly opened: boolean;
  /** The task is over; the stream is to be closed behind the last line. */
  readonly ended: boolean;
  /** Position of the first line that the service has not acknowledged. */
  readonly next: number;
}

const MAGIC = 'sallyport-log-1';
const STATE_BYTES = MAGIC.length + ' 00 0000000000000000\n'.length;
const READ_BYTES = 256 * 1024;
/** No link is followed and no file of others is written: the folder may lie where others can write. */
const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const REOPEN = constants.O_RDWR | constants.O_NOFOLLOW;

/**
 * The lines of one stream that could not be delivered yet, in a file that outlives this process: a line of fixed length
 * for the state, overwritten in place, a header, and one JSON line each. Lines are masked before they come here.
 */
export class SpoolFile {
  readonly header: SpoolHeader;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #budget: SpoolBudget;
  readonly #start: number;
  #size: number;
  #read: number;
  #state: SpoolState;
  /** Positions below this are in the file. */
  #lastSpooled = -1;

  private constructor(
    path: string,
    file: FileHandle,
    budget: SpoolBudget,
    content: { header: SpoolHeader; state: SpoolState; start: number; size: number; lastSpooled: number },
  ) {
    this.#path = path;
    this.#file = file;
    this.#budget = budget;
    this.header = content.header;
    this.#state = content.state;
    this.#start = content.start;
    this.#read = content.start;
    this.#size = content.size;
    this.#lastSpooled = content.lastSpooled;
  }

  /** A new file that only this user can read. Throws what the file system throws. */
  static async create(path: string, header: SpoolHeader, budget: SpoolBudget): Promise<SpoolFile> {
    const state: SpoolState = { opened: false, ended: false, next: 0 };
    const text = Buffer.from(`${stateLine(state)}${JSON.stringify(header)}\n`);
    const file = await open(path, CREATE, 0o600);
    await file.write(text, 0, text.length, 0);
    return new SpoolFile(path, file, budget, {
      header,
      state,
      start: text.length,
      size: text.length,
      lastSpooled: -1,
    });
  }

  /** A file of a former process; null when it is none of ours. A line that was cut short is left out. */
  static async load(path: string, budget: SpoolBudget): Promise<SpoolFile | null> {
    const file = await open(path, REOPEN);
    const content = parse(await file.readFile());
    if (content === null) {
      await file.close();
      return null;
    }
    budget.used += content.size - content.start;
    return new SpoolFile(path, file, budget, content);
  }

  get state(): SpoolState {
    return this.#state;
  }

  /** Position of the first line that is neither here nor acknowledged. */
  get nextPos(): number {
    return Math.max(this.#lastSpooled + 1, this.#state.next);
  }

  /** Lines that were not read yet. */
  get unread(): boolean {
    return this.#read < this.#size;
  }

  /** Adds the lines as far as there is room; returns how many. Throws what the file system throws. */
  async append(lines: readonly LogLine[]): Promise<number> {
    const room = this.#budget.limit - this.#budget.used;
    const texts: string[] = [];
    let bytes = 0;
    for (const line of lines) {
      const text = `${JSON.stringify(line)}\n`;
      const size = Buffer.byteLength(text);
      if (bytes + size > room) break;
      texts.push(text);
      bytes += size;
    }
    if (texts.length === 0) return 0;
    // Taken before anything is waited for: another file of the folder may look for room meanwhile.
    this.#budget.used += bytes;
    try {
      // At a place of its own: what a full disk cut short is overwritten.
      await this.#file.write(Buffer.from(texts.join('')), 0, bytes, this.#size);
    } catch (error) {
      this.#budget.used -= bytes;
      throw error;
    }
    this.#size += bytes;
    this.#lastSpooled = lines[texts.length - 1]?.pos ?? this.#lastSpooled;
    return texts.length;
  }

  /** The next lines that the service has not acknowledged; none when there are no more. */
  async read(maxBytes: number): Promise<LogLine[]> {
    while (this.unread) {
      const lines = await this.#readSome(maxBytes);
      const open = lines.filter((line) => (line.pos ?? 0) >= this.#state.next);
      if (open.length > 0) return open;
    }
    return [];
  }

  async change(state: Partial<SpoolState>): Promise<void> {
    this.#state = { ...this.#state, ...state };
    await this.#file.write(stateLine(this.#state), 0);
  }

  /** Everything in it has been delivered: gives the room back. */
  async clear(): Promise<void> {
    if (this.#size === this.#start) return;
    await this.#file.truncate(this.#start);
    this.#budget.used -= this.#size - this.#start;
    this.#size = this.#start;
    this.#read = this.#start;
  }

  async remove(): Promise<void> {
    this.#budget.used -= this.#size - this.#start;
    await this.#file.close();
    await unlink(this.#path);
  }

  /** Leaves the file to whoever comes next. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  async #readSome(maxBytes: number): Promise<LogLine[]> {
    for (let want = Math.min(maxBytes, READ_BYTES); ; want *= 2) {
      const length = Math.min(want, this.#size - this.#read);
      const buffer = Buffer.alloc(length);
      await this.#file.read(buffer, 0, length, this.#read);
      const end = buffer.lastIndexOf('\n') + 1;
      if (end > 0) {
        this.#read += end;
        return linesOf(buffer.toString('utf8', 0, end));
      }
      if (length === this.#size - this.#read) {
        this.#read = this.#size;
        return [];
      }
    }
  }
}

function stateLine({ opened, ended, next }: SpoolState): string {
  return `${MAGIC} ${opened ? 1 : 0}${ended ? 1 : 0} ${String(next).padStart(16, '0')}\n`;
}

function parse(bytes: Buffer) {
  const match = /^sallyport-log-1 ([01])([01]) (\d{16})\n$/.exec(bytes.toString('latin1', 0, STATE_BYTES));
  const start = bytes.indexOf('\n', STATE_BYTES) + 1;
  if (match === null || start === 0) return null;
  const header = jsonOf(bytes.toString('utf8', STATE_BYTES, start));
  if (!Check(SpoolHeader, header)) return null;
  const size = bytes.lastIndexOf('\n') + 1;
  const state = { opened: match[1] === '1', ended: match[2] === '1', next: Number(match[3]) };
  const lastSpooled = linesOf(bytes.toString('utf8', start, size)).at(-1)?.pos ?? -1;
  return { header, state, start, size, lastSpooled };
}

const linesOf = (text: string): LogLine[] =>
  text.split('\n').flatMap((row) => {
    const line = jsonOf(row);
    return Check(LogLine, line) ? [line] : [];
  });

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
