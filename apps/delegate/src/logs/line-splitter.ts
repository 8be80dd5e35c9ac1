import { MAX_LOG_LINE_BYTES } from '@sallyport/protocol';
import { characterStart } from './log-block.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const FEED = Buffer.from('\n');
/** Of a line that has not ended. */
const MOST_PENDING_BYTES = MAX_LOG_LINE_BYTES - 1;

/**
 * Gives the lines of a stream of bytes as text, those of one chunk together. A line ends at LF, CRLF or a lone CR, as
 * progress bars send it, and always leaves with LF; of a long one, and when `flush` is called, the beginning leaves before its
 * end has come: parts of a line are the line when joined. Characters are never cut in two; bytes that are not UTF-8 read as U+FFFD.
 */
export class LineSplitter {
  readonly #emit: (text: string) => void;
  /** Of the line that has not ended. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** Of that line, the beginning has left. */
  #begun = false;
  #afterReturn = false;

  constructor(emit: (text: string) => void) {
    this.#emit = emit;
  }

  write(chunk: Buffer): void {
    const data = this.#withFeeds(chunk);
    const end = data.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      this.#emit(Buffer.concat([...this.#pending, data.subarray(0, end)]).toString());
      this.#pending = [];
      this.#pendingBytes = 0;
      this.#begun = false;
    }
    this.#keep(data.subarray(end));
  }

  /** Bytes wait for the end of their line. */
  get pending(): boolean {
    return this.#pendingBytes > 0;
  }

  /** What there is of a line that has not ended, up to its last whole character. */
  flush(): void {
    const data = Buffer.concat(this.#pending);
    const end = endOfCharacters(data);
    if (end === 0) return;
    this.#emit(data.toString('utf8', 0, end));
    this.#begun = true;
    this.#pending = [Buffer.from(data.subarray(end))];
    this.#pendingBytes = data.length - end;
  }

  /** The last line, if the output did not end with one's end. */
  end(): void {
    if (this.#begun || this.#pendingBytes > 0) this.write(FEED);
  }

  /** Every end of a line as LF. */
  #withFeeds(chunk: Buffer): Buffer {
    if (!this.#afterReturn && !chunk.includes(CARRIAGE_RETURN)) return chunk;
    const parts: Buffer[] = [];
    let begun = this.#begun || this.#pendingBytes > 0;
    let start = 0;
    let feed = chunk.indexOf(LINE_FEED);
    let back = chunk.indexOf(CARRIAGE_RETURN);
    while (feed >= 0 || back >= 0) {
      const returned = back >= 0 && (feed < 0 || back < feed);
      const at = returned ? back : feed;
      const blank = at === start && !begun;
      // The LF of a CRLF ends nothing any more; a CR alone does not make an empty line.
      if (!blank || !(returned || this.#afterReturn)) parts.push(chunk.subarray(start, at), FEED);
      // A CR that ended nothing leaves the LF behind it its meaning: an empty line.
      this.#afterReturn = returned && !blank;
      begun = false;
      start = at + 1;
      if (returned) back = chunk.indexOf(CARRIAGE_RETURN, start);
      else feed = chunk.indexOf(LINE_FEED, start);
    }
    if (start < chunk.length) this.#afterReturn = false;
    return Buffer.concat([...parts, chunk.subarray(start)]);
  }

  /** Holds less than a whole line may have: whatever is more has left. */
  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#pending.push(Buffer.from(bytes));
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes <= MOST_PENDING_BYTES) return;
    let data = Buffer.concat(this.#pending);
    while (data.length > MOST_PENDING_BYTES) {
      const cut = characterStart(data, MOST_PENDING_BYTES);
      this.#emit(data.toString('utf8', 0, cut));
      data = data.subarray(cut);
    }
    this.#pending = [Buffer.from(data)];
    this.#pendingBytes = data.length;
  }
}

/** How many bytes are whole characters: the last one may still be on its way. */
function endOfCharacters(data: Buffer): number {
  for (let back = 1; back <= Math.min(3, data.length); back += 1) {
    const byte = data[data.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? data.length - back : data.length;
  }
  return data.length;
}
