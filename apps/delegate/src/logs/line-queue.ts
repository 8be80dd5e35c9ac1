import type { LogLine } from '@sallyport/protocol';

/** Which output of the task a line is of; `sallyport` for remarks of the delegate's own. */
export type LineSource = 'stdout' | 'stderr' | 'sallyport';

export interface QueueLimits {
  /** Of what waits in memory, for one task. */
  readonly bytes: number;
  readonly now: () => number;
}

/** What an entry costs beside its text: a flood of empty lines is a flood too. */
const OVERHEAD_BYTES = 160;
const ARGS: Readonly<Record<LineSource, Record<string, string> | null>> = {
  stdout: null,
  stderr: { stream: 'stderr' },
  sallyport: { stream: 'sallyport' },
};

export const droppedText = (count: number): string => `... ${count} lines dropped: the log service did not keep up\n`;

/**
 * Lines that wait in memory. It never grows beyond its limit and never makes anybody wait: lines that find no room are
 * counted, and a line that says how many stands in their place.
 */
export class LineQueue {
  readonly #limits: QueueLimits;
  #lines: LogLine[] = [];
  #bytes = 0;
  #pos: number;
  #dropped = 0;

  constructor(limits: QueueLimits, firstPos = 0) {
    this.#limits = limits;
    this.#pos = firstPos;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#lines.length === 0;
  }

  /** Lines of this task that found no room, and whose place has not been marked yet. */
  get dropped(): number {
    return this.#dropped;
  }

  push(source: LineSource, out: string): void {
    // Once full, it takes nothing until half of it is free: otherwise every second line would be a mark.
    const room = this.#dropped > 0 ? this.#limits.bytes / 2 : this.#limits.bytes;
    if (this.#bytes + sizeOf(out) > room) {
      this.#dropped += 1;
      return;
    }
    this.markDropped();
    this.#add(source, out);
  }

  /** Puts the mark for lines that were dropped in their place, whatever room there is. */
  markDropped(): void {
    if (this.#dropped === 0) return;
    const text = droppedText(this.#dropped);
    this.#dropped = 0;
    this.#add('sallyport', text);
  }

  /** The first lines, as many as fit, one at least; they stay until they are removed. */
  first(maxBytes: number): LogLine[] {
    let bytes = 0;
    let count = 0;
    for (const { out } of this.#lines) {
      bytes += sizeOf(out);
      if (bytes > maxBytes && count > 0) break;
      count += 1;
    }
    return this.#lines.slice(0, count);
  }

  /** Forgets the lines up to this position. */
  removeThrough(pos: number): void {
    const rest = this.#lines.findIndex((line) => (line.pos ?? 0) > pos);
    const gone = rest < 0 ? this.#lines : this.#lines.slice(0, rest);
    for (const { out } of gone) this.#bytes -= sizeOf(out);
    this.#lines = rest < 0 ? [] : this.#lines.slice(rest);
  }

  #add(source: LineSource, out: string): void {
    const level = source === 'sallyport' ? 'warn' : 'info';
    const time = new Date(this.#limits.now()).toISOString().replace('Z', '000000Z');
    this.#lines.push({ level, pos: this.#pos, out, time, args: ARGS[source] });
    this.#pos += 1;
    this.#bytes += sizeOf(out);
  }
}

const sizeOf = (out: string): number => Buffer.byteLength(out) + OVERHEAD_BYTES;
