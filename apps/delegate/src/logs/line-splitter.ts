import { MAX_LOG_LINE_BYTES } from '@sallyport/protocol';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Cuts a stream of bytes into lines of text. A line ends at LF, CRLF or a lone CR, as progress bars send it, and always
 * leaves with LF. A longer one leaves in several pieces, of which only the last has a line feed: joined, they are the
 * output again. Characters are never cut in two; bytes that are not UTF-8 read as U+FFFD.
 */
export class LineSplitter {
  readonly #emit: (line: string) => void;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #afterReturn = false;

  constructor(emit: (line: string) => void) {
    this.#emit = emit;
  }

  write(chunk: Buffer): void {
    let start = 0;
    let feed = chunk.indexOf(LINE_FEED);
    let back = chunk.indexOf(CARRIAGE_RETURN);
    while (feed >= 0 || back >= 0) {
      const returned = back >= 0 && (feed < 0 || back < feed);
      const at = returned ? back : feed;
      const rest = chunk.subarray(start, at);
      const blank = rest.length + this.#pendingBytes === 0;
      // The LF of a CRLF ends nothing any more; a CR alone does not make an empty line.
      if (!blank || !(returned || this.#afterReturn)) this.#finish(rest);
      // A CR that ended nothing leaves the LF behind it its meaning: an empty line.
      this.#afterReturn = returned && !blank;
      start = at + 1;
      if (returned) back = chunk.indexOf(CARRIAGE_RETURN, start);
      else feed = chunk.indexOf(LINE_FEED, start);
    }
    if (start < chunk.length) this.#afterReturn = false;
    this.#keep(chunk.subarray(start));
  }

  /** The last line, if the output did not end with one's end. */
  end(): void {
    if (this.#pendingBytes > 0) this.#finish(Buffer.alloc(0));
  }

  #finish(rest: Buffer): void {
    if (this.#pendingBytes === 0 && rest.length < MAX_LOG_LINE_BYTES) {
      this.#emit(`${rest.toString()}\n`);
      return;
    }
    this.#keep(rest);
    this.#emit(`${Buffer.concat(this.#pending).toString()}\n`);
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Holds less than a whole piece: whatever is longer has left. */
  #keep(bytes: Buffer): void {
    // One byte is for the line feed.
    const limit = MAX_LOG_LINE_BYTES - 1;
    if (bytes.length === 0) return;
    if (this.#pendingBytes + bytes.length <= limit) {
      this.#pending.push(Buffer.from(bytes));
      this.#pendingBytes += bytes.length;
      return;
    }
    let data = Buffer.concat([...this.#pending, bytes]);
    while (data.length > limit) {
      const cut = characterStart(data, limit);
      this.#emit(data.toString('utf8', 0, cut));
      data = data.subarray(cut);
    }
    this.#pending = [Buffer.from(data)];
    this.#pendingBytes = data.length;
  }
}

/** The last place at or before `at` where a character begins; `at` itself when there is none near. */
function characterStart(data: Buffer, at: number): number {
  for (let back = 0; back < 4; back += 1) {
    if (((data[at - back] ?? 0) & 0xc0) !== 0x80) return at - back;
  }
  return at;
}
