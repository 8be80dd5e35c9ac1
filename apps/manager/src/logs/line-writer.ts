import { SallyportError } from '@sallyport/protocol';
import type { Clock } from '../clock.ts';
import type { Append, Appended, LineStore, Write } from './line-store.ts';
import type { LogKey } from './log-key.ts';

/** Of lines that wait to be written, in this process. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** Of one transaction: it is over within milliseconds, and readers get their turn. */
const MAX_BATCH_BYTES = 2 * 1024 * 1024;
const MAX_BATCH_STREAMS = 200;

interface Waiting {
  readonly owner: string;
  readonly key: LogKey;
  readonly write: Write;
  readonly bytes: number;
  resolve(written: boolean): void;
  reject(error: unknown): void;
}

/**
 * Writes lines in groups: whatever arrives while one transaction runs goes into the next, so that a hundred writers wait
 * for the disk once and not a hundred times. What came first is written first.
 */
export class LineWriter {
  readonly #store: LineStore;
  readonly #clock: Clock;
  readonly #onWritten: (appended: Appended) => void;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | null = null;
  /** Lines and bytes that were written by this process. */
  lines = 0;
  bytes = 0;

  constructor(store: LineStore, clock: Clock, onWritten: (appended: Appended) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onWritten = onWritten;
  }

  /** Resolves with true when the lines are committed, with false when the stream is not open and they were dropped. */
  write(owner: string, key: LogKey, write: Write): Promise<boolean> {
    const bytes = write.chunks.reduce((sum, { body }) => sum + body.length, 0);
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
      return Promise.reject(
        new SallyportError('SERVICE_UNAVAILABLE', 'too many log lines wait to be written; send these again'),
      );
    }
    this.#waitingBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ owner, key, write, bytes, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when everything that was taken is written. */
  async drain(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // One turn, so that what arrives together is written together.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#writeBatch(this.#take());
    this.#running = null;
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { bytes: more } of this.#waiting) {
      if (count > 0 && (bytes + more > MAX_BATCH_BYTES || count >= MAX_BATCH_STREAMS)) break;
      bytes += more;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const merged = new Map<string, { append: Append; waiting: Waiting[] }>();
    for (const one of batch) {
      const { owner, key, write } = one;
      const name = `${owner} ${key.text}`;
      const known = merged.get(name);
      if (known === undefined) merged.set(name, { append: { owner, key, writes: [write] }, waiting: [one] });
      else {
        known.append = { ...known.append, writes: [...known.append.writes, write] };
        known.waiting.push(one);
      }
    }
    const groups = [...merged.values()];
    try {
      const results = await this.#store.append(
        groups.map(({ append }) => append),
        this.#clock.now().getTime(),
      );
      for (const [index, { waiting }] of groups.entries()) {
        const appended = results[index] ?? null;
        if (appended !== null) {
          for (const chunk of appended.chunks) {
            this.lines += chunk.lines;
            this.bytes += chunk.body.length;
          }
          this.#onWritten(appended);
        }
        for (const one of waiting) one.resolve(appended !== null);
      }
    } catch (error) {
      for (const one of batch) one.reject(error);
    } finally {
      for (const { bytes } of batch) this.#waitingBytes -= bytes;
    }
  }
}
