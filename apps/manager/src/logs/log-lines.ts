import { setImmediate as nextTurn } from 'node:timers/promises';
import { LOG_WRITER_HEADER, MAX_LOG_LINE_BYTES, SallyportError } from '@sallyport/protocol';
import { LogLines } from '@sallyport/protocol/schemas';
import { Compile } from 'typebox/compile';
import type { Write } from './line-store.ts';
import type { Chunk } from './log-chunk.ts';

const check = Compile(LogLines);
/** A chunk is what is dropped at once when a stream grows too long. */
const MAX_CHUNK_LINES = 500;
const MAX_CHUNK_BYTES = 262_144;
const CUT_MARK = ' [cut]';

/**
 * The body of a write as chunks of normalised lines, with their positions if `writer` numbers them. Lets other work in
 * between chunks. Throws INVALID_REQUEST for what is not an array of lines, or not numbered upwards; a text that is too long
 * is cut, with a mark, as writers cut it themselves.
 */
export async function readLines(body: Buffer, writer: string | null = null): Promise<Write> {
  let lines: unknown;
  try {
    lines = JSON.parse(body.toString('utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SallyportError('INVALID_REQUEST', `the body is not JSON: ${error.message.slice(0, 120)}`);
  }
  // Writers in Go send null for no lines.
  if (lines === null) return { chunks: [], positions: null };
  if (!check.Check(lines)) {
    const [first] = check.Errors(lines);
    throw new SallyportError(
      'INVALID_REQUEST',
      `the body is not an array of log lines: ${first?.instancePath || 'it'} ${first?.message ?? ''}`.trim(),
    );
  }
  const chunks: Chunk[] = [];
  let texts: string[] = [];
  let length = 0;
  const flush = () => {
    if (texts.length === 0) return;
    chunks.push({ lines: texts.length, body: Buffer.from(texts.join(''), 'utf8') });
    texts = [];
    length = 0;
  };
  for (const line of lines) {
    const out = cut(line.out);
    const text = `${JSON.stringify({ level: line.level ?? 'info', pos: line.pos ?? 0, out, time: line.time ?? '', args: line.args ?? null })}\n`;
    texts.push(text);
    length += text.length;
    if (texts.length < MAX_CHUNK_LINES && length < MAX_CHUNK_BYTES) continue;
    flush();
    await nextTurn();
  }
  flush();
  return { chunks, positions: writer === null ? null : { writer, of: positionsOf(lines) } };
}

function positionsOf(lines: LogLines): number[] {
  let last = -1;
  return lines.map(({ pos = -1 }, index) => {
    if (pos <= last || !Number.isSafeInteger(pos)) {
      throw new SallyportError(
        'INVALID_REQUEST',
        `line ${index} of the body has no pos above ${last} and up to ${Number.MAX_SAFE_INTEGER}: a writer that names itself in ${LOG_WRITER_HEADER} numbers its lines upwards`,
      );
    }
    last = pos;
    return pos;
  });
}

/** The texts of a chunk's lines, without their newlines. */
export function linesOf({ body }: Pick<Chunk, 'body'>): string[] {
  const texts = body.toString('utf8').split('\n');
  texts.pop();
  return texts;
}

function cut(out: string): string {
  // A character has at most three bytes for each of its UTF-16 units.
  if (out.length * 3 <= MAX_LOG_LINE_BYTES || Buffer.byteLength(out) <= MAX_LOG_LINE_BYTES) return out;
  const end = `${CUT_MARK}\n`;
  const bytes = Buffer.from(out, 'utf8').subarray(0, MAX_LOG_LINE_BYTES - end.length);
  return bytes.toString('utf8').replace(/\uFFFD+$/, '') + end;
}
