import { countLines, type LogBlock, linesOf, sizeOfLine } from './log-block.ts';

/** Which output of the task a line is of; `sallyport` for remarks of the delegate's own. */
export type LineSource = 'stdout' | 'stderr' | 'sallyport';

/** Bytes of memory, for all tasks together. */
export interface MemoryBudget {
  readonly limit: number;
  used: number;
}

export interface QueueLimits {
  /** Of what waits in memory, for one task. */
  readonly bytes: number;
  readonly budget: MemoryBudget;
  readonly now: () => number;
}

/** What a block costs beside its text: a flood of small ones is a flood too. */
const OVERHEAD_BYTES = 200;
const ARGS: Readonly<Record<LineSource, Record<string, string> | null>> = {
  stdout: null,
  stderr: { stream: 'stderr' },
  sallyport: { stream: 'sallyport' },
};

export const droppedText = (count: number): string => `... ${count} lines dropped: the log service did not keep up\n`;

interface Waiting {
  readonly block: LogBlock;
  readonly last: number;
  readonly bytes: number;
}

/**
 * What waits in memory. It never grows beyond its limits and never makes anybody wait: lines that find no room are
 * counted, and a line that says how many stands in their place.
 */
export class LineQueue {
  readonly #limits: QueueLimits;
  readonly #blocks: Waiting[] = [];
  #bytes = 0;
  /** Of the next line. */
  #pos: number;
  /** Lines up to this one are gone, though the block of it may still be there. */
  #gone = -1;
  #dropped = 0;

  constructor(limits: QueueLimits, firstPos: number) {
    this.#limits = limits;
    this.#pos = firstPos;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#blocks.length === 0;
  }

  /** Lines that found no room, and whose place has not been marked yet. */
  get dropped(): number {
    return this.#dropped;
  }

  /** `text`: lines of one output, each with its line feed; a long line may come in several texts. */
  push(source: LineSource, text: string): void {
    const fitting = this.#fitting(text);
    if (fitting !== '') {
      this.markDropped();
      this.#add(source, fitting);
    }
    this.#dropped += countLines(text.slice(fitting.length));
  }

  /** Puts the mark for lines that were dropped in their place, whatever room there is. */
  markDropped(): void {
    if (this.#dropped === 0) return;
    const text = droppedText(this.#dropped);
    this.#dropped = 0;
    this.#add('sallyport', text);
  }

  /** The first lines, as many as fit into a write of this size, one at least; they stay until they are removed. */
  first(maxBytes: number): LogBlock[] {
    const lines: LogBlock[] = [];
    let bytes = 0;
    for (const { block } of this.#blocks) {
      for (const line of linesOf(block)) {
        if (line.pos <= this.#gone) continue;
        bytes += sizeOfLine(line);
        if (bytes > maxBytes && lines.length > 0) return lines;
        lines.push(line);
      }
    }
    return lines;
  }

  /** The first blocks, whole: of the first, some lines may be gone. They stay until they are removed. */
  firstBlocks(maxBytes: number): LogBlock[] {
    const blocks: LogBlock[] = [];
    let bytes = 0;
    for (const waiting of this.#blocks) {
      bytes += waiting.bytes;
      if (bytes > maxBytes && blocks.length > 0) break;
      blocks.push(waiting.block);
    }
    return blocks;
  }

  /** Forgets the lines up to this position. */
  removeThrough(pos: number): void {
    this.#gone = Math.max(this.#gone, pos);
    const rest = this.#blocks.findIndex(({ last }) => last > pos);
    for (const { bytes } of this.#blocks.splice(0, rest < 0 ? this.#blocks.length : rest)) this.#account(-bytes);
  }

  /** Gives all its room back. */
  clear(): void {
    this.removeThrough(this.#pos);
    this.#dropped = 0;
  }

  /** The part of a text that there is room for, in whole lines. */
  #fitting(text: string): string {
    const { bytes: limit, budget } = this.#limits;
    // Once full, it takes nothing until half of it is free: otherwise every second line would be a mark.
    const share = this.#dropped > 0 ? 2 : 1;
    const room = Math.min(limit / share - this.#bytes, budget.limit / share - budget.used) - OVERHEAD_BYTES;
    const bytes = Buffer.byteLength(text);
    if (bytes <= room) return text;
    if (room <= 0 || this.#dropped > 0) return '';
    // No character has more bytes than three for each of its units.
    return text.slice(0, text.lastIndexOf('\n', Math.floor(room / 3)) + 1);
  }

  #add(source: LineSource, out: string): void {
    const level = source === 'sallyport' ? 'warn' : 'info';
    const time = new Date(this.#limits.now()).toISOString().replace('Z', '000000Z');
    const bytes = Buffer.byteLength(out) + OVERHEAD_BYTES;
    const block: LogBlock = { level, pos: this.#pos, out, time, args: ARGS[source] };
    this.#pos += countLines(out);
    this.#blocks.push({ block, last: this.#pos - 1, bytes });
    this.#account(bytes);
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    this.#limits.budget.used += bytes;
  }
}
