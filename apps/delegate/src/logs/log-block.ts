import { type LogLine, MAX_LOG_LINE_BYTES } from '@sallyport/protocol';

/**
 * Lines of one output that were printed together: a log line whose text is all of them, and whose position is that of the
 * first. So they wait in memory and on disk, where a short line would cost many times its size; the service gets each alone.
 */
export interface LogBlock extends LogLine {
  readonly pos: number;
}

/** What a line costs in a write beside its text. */
export const LINE_OVERHEAD_BYTES = 110;

export const sizeOfLine = ({ out }: LogLine): number => Buffer.byteLength(out) + LINE_OVERHEAD_BYTES;

/** The lines of a block. As many, and the same, whenever it is asked: their positions depend on it. */
export function linesOf(block: LogBlock): LogBlock[] {
  return piecesOf(block.out).map((out, index) => ({ ...block, pos: block.pos + index, out }));
}

/** How many lines a text is. */
export function countLines(text: string): number {
  if (text.length * 3 > MAX_LOG_LINE_BYTES && Buffer.byteLength(text) > MAX_LOG_LINE_BYTES)
    return piecesOf(text).length;
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return text === '' || text.endsWith('\n') ? count : count + 1;
}

function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const feed = text.indexOf('\n', at);
    const end = feed < 0 ? text.length : feed + 1;
    const line = text.slice(at, end);
    if (line.length * 3 <= MAX_LOG_LINE_BYTES) pieces.push(line);
    else pieces.push(...cut(Buffer.from(line)));
    at = end;
  }
  return pieces;
}

/** A line as long as a line may be, and the rest of it: joined, they are the line again. */
function cut(line: Buffer): string[] {
  const pieces: string[] = [];
  let rest = line;
  while (rest.length > MAX_LOG_LINE_BYTES) {
    const at = characterStart(rest, MAX_LOG_LINE_BYTES - 1);
    pieces.push(rest.toString('utf8', 0, at));
    rest = rest.subarray(at);
  }
  return [...pieces, rest.toString()];
}

/** The last place at or before `at` where a character begins; `at` itself when there is none near. */
export function characterStart(data: Buffer, at: number): number {
  for (let back = 0; back < 4; back += 1) {
    if (((data[at - back] ?? 0) & 0xc0) !== 0x80) return at - back;
  }
  return at;
}
