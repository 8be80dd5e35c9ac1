import { constants } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { LogLine, LogWriterId } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { Check } from 'typebox/schema';
import { countLines, type LogBlock, linesOf, sizeOfLine } from './log-block.ts';

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
  /** Under which name the service counts the lines. */
  writer: LogWriterId,
});
export type SpoolHeader = Type.Static<typeof SpoolHeader>;

export interface SpoolState {
  /** The task is over; the stream is to be closed behind the last line. */
  readonly ended: boolean;
  /** Position of the first line that the service has not acknowledged. */
  readonly next: number;
}

const MAGIC = 'sallyport-log-1';
const STATE_BYTES = MAGIC.length + ' 0 0000000000000000\n'.length;
const READ_BYTES = 256 * 1024;
/** What was delivered is cut off when it is so much, and half of the file. */
const COMPACT_BYTES = 1024 * 1024;
/** Behind the name of a file while it is made anew. */
export const UNFINISHED = '.new';
/** No link is followed and no file of others is written: the folder may lie where others can write. */
const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const REOPEN = constants.O_RDWR | constants.O_NOFOLLOW;

/**
 * The lines of one stream that could not be delivered yet, in a file that outlives this process: a line of fixed length
 * for the state, overwritten in place, a header, and one JSON text a block, each with its newline. Lines are masked before
 * they come here. What goes in first comes out first. Two methods must not run at once.
 */
export class SpoolFile {
  readonly header: SpoolHeader;
  /** Left by a process that has ended. */
  readonly found: boolean;
  readonly #path: string;
  #file: FileHandle;
  readonly #budget: SpoolBudget;
  readonly #start: number;
  #size: number;
  #read: number;
  /** Lines that were read and not given out. */
  #ahead: LogBlock[] = [];
  #state: SpoolState;
  /** Positions up to this one are, or were, in the file. */
  #lastSpooled: number;
  #compacts = true;

  private constructor(
    path: string,
    file: FileHandle,
    budget: SpoolBudget,
    content: {
      found: boolean;
      header: SpoolHeader;
      state: SpoolState;
      start: number;
      size: number;
      lastSpooled: number;
    },
  ) {
    this.#path = path;
    this.#file = file;
    this.#budget = budget;
    this.header = content.header;
    this.found = content.found;
    this.#state = content.state;
    this.#start = content.start;
    this.#read = content.start;
    this.#size = content.size;
    this.#lastSpooled = content.lastSpooled;
  }

  /** A new file that only this user can read. Throws what the file system throws. */
  static async create(path: string, header: SpoolHeader, budget: SpoolBudget): Promise<SpoolFile> {
    const state: SpoolState = { ended: false, next: 0 };
    const file = await open(path, CREATE, 0o600);
    const start = await writeHead(file, state, header);
    return new SpoolFile(path, file, budget, { found: false, header, state, start, size: start, lastSpooled: -1 });
  }

  /** A file of a former process; null when it is none of ours. A block that was cut short is left out. */
  static async load(path: string, budget: SpoolBudget): Promise<SpoolFile | null> {
    const file = await open(path, REOPEN);
    const content = parse(await file.readFile());
    if (content === null) {
      await file.close();
      return null;
    }
    budget.used += content.size - content.start;
    return new SpoolFile(path, file, budget, { found: true, ...content });
  }

  get state(): SpoolState {
    return this.#state;
  }

  /** Position of the first line that is neither here nor acknowledged. */
  get nextPos(): number {
    return Math.max(this.#lastSpooled + 1, this.#state.next);
  }

  /** There are lines that were not given out yet. */
  get unread(): boolean {
    return this.#ahead.length > 0 || this.#read < this.#size;
  }

  /** Adds the blocks as far as there is room; returns how many. Throws what the file system throws. */
  async append(blocks: readonly LogBlock[]): Promise<number> {
    const room = this.#budget.limit - this.#budget.used;
    const texts: string[] = [];
    let bytes = 0;
    for (const block of blocks) {
      const text = `${JSON.stringify(block)}\n`;
      const size = Buffer.byteLength(text);
      if (bytes + size > room) break;
      texts.push(text);
      bytes += size;
    }
    const last = blocks[texts.length - 1];
    if (last === undefined) return 0;
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
    this.#lastSpooled = lastOf(last);
    return texts.length;
  }

  /**
   * The next lines, as many as fit into a write of this size, one at least; none when there are no more. What it gave out
   * before was delivered, or is kept by whoever got it: its room may be given back.
   */
  async read(maxBytes: number): Promise<LogBlock[]> {
    while (this.#ahead.length === 0 && this.#read < this.#size) {
      await this.#compact();
      const blocks = await this.#readSome();
      this.#ahead = blocks.flatMap(linesOf).filter(({ pos }) => pos >= this.#state.next);
    }
    let bytes = 0;
    const past = this.#ahead.findIndex((line) => {
      bytes += sizeOfLine(line);
      return bytes > maxBytes;
    });
    return this.#ahead.splice(0, past < 0 ? this.#ahead.length : Math.max(1, past));
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

  async #readSome(): Promise<LogBlock[]> {
    for (let want = READ_BYTES; ; want *= 2) {
      const length = Math.min(want, this.#size - this.#read);
      const buffer = Buffer.alloc(length);
      await this.#file.read(buffer, 0, length, this.#read);
      const end = buffer.lastIndexOf('\n') + 1;
      if (end > 0) {
        this.#read += end;
        return blocksOf(buffer.toString('utf8', 0, end));
      }
      if (length === this.#size - this.#read) {
        this.#read = this.#size;
        return [];
      }
    }
  }

  /** A task that prints about as fast as the service takes would otherwise fill the disk with what was delivered long ago. */
  async #compact(): Promise<void> {
    const delivered = this.#read - this.#start;
    if (!this.#compacts || delivered < COMPACT_BYTES || delivered < this.#size - this.#read) return;
    const path = `${this.#path}${UNFINISHED}`;
    const file = await open(path, CREATE, 0o600).catch(() => null);
    try {
      if (file === null) throw new Error('it cannot be made');
      await writeHead(file, this.#state, this.header);
      for (let from = this.#read; from < this.#size; ) {
        const { buffer, bytesRead } = await this.#file.read(Buffer.alloc(1024 * 1024), 0, null, from);
        const length = Math.min(bytesRead, this.#size - from);
        await file.write(buffer, 0, length, from - delivered);
        from += length;
      }
      await rename(path, this.#path);
    } catch {
      // Not enough room for both, perhaps: the file stays as it is, and grows up to its limit.
      this.#compacts = false;
      await file?.close();
      await unlink(path).catch(() => undefined);
      return;
    }
    await this.#file.close();
    this.#file = file;
    this.#budget.used -= delivered;
    this.#size -= delivered;
    this.#read = this.#start;
  }
}

/** Returns where the blocks begin. */
async function writeHead(file: FileHandle, state: SpoolState, header: SpoolHeader): Promise<number> {
  const text = Buffer.from(`${stateLine(state)}${JSON.stringify(header)}\n`);
  await file.write(text, 0, text.length, 0);
  return text.length;
}

function stateLine({ ended, next }: SpoolState): string {
  return `${MAGIC} ${ended ? 1 : 0} ${String(next).padStart(16, '0')}\n`;
}

function parse(bytes: Buffer) {
  const match = /^sallyport-log-1 ([01]) (\d{16})\n$/.exec(bytes.toString('latin1', 0, STATE_BYTES));
  const start = bytes.indexOf('\n', STATE_BYTES) + 1;
  if (match === null || start === 0) return null;
  const header = jsonOf(bytes.toString('utf8', STATE_BYTES, start));
  if (!Check(SpoolHeader, header)) return null;
  const size = bytes.lastIndexOf('\n') + 1;
  const state = { ended: match[1] === '1', next: Number(match[2]) };
  const last = blocksOf(bytes.toString('utf8', start, size)).at(-1);
  return { header, state, start, size, lastSpooled: last === undefined ? -1 : lastOf(last) };
}

const lastOf = ({ pos, out }: LogBlock): number => pos + countLines(out) - 1;

const blocksOf = (text: string): LogBlock[] =>
  text.split('\n').flatMap((row) => {
    const block = jsonOf(row);
    return Check(LogLine, block) && block.pos !== undefined ? [{ ...block, pos: block.pos }] : [];
  });

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
