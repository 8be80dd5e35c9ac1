import { setTimeout as delay } from 'node:timers/promises';
import { Backoff, ManagerError, TransportError } from '@sallyport/client';
import type { Logger } from 'pino';
import { LineQueue, type LineSource, type MemoryBudget } from './line-queue.ts';
import { countLines, type LogBlock } from './log-block.ts';
import type { LogService, LogTarget } from './log-service.ts';
import type { SpoolFile } from './spool-file.ts';

export interface LogTimings {
  /** A line waits at most this long for others to go with it. */
  readonly flushMs: number;
  /** The first line after silence waits this long. */
  readonly gatherMs: number;
  /** A write that takes longer than this counts as one to a service that is away: what comes meanwhile is spooled. */
  readonly slowMs: number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
}

export interface StreamParts {
  readonly service: LogService;
  readonly target: LogTarget;
  /** Null: what finds no room in memory is dropped. */
  readonly spool: SpoolFile | null;
  readonly timings: LogTimings;
  /** Of this task's lines, and of all tasks' together. */
  readonly memoryBytes: number;
  readonly memory: MemoryBudget;
  readonly logger: Logger;
}

/** Of one write. */
const BATCH_BYTES = 512 * 1024;
/** More than this in memory goes to the spool, however well the service is: a burst is faster than any service. */
const SPILL_BYTES = 1024 * 1024;
/** Of one write to the disk: in between, what is there is sent. */
const SPILL_STEP_BYTES = 4 * 1024 * 1024;
const RESTART_GAP = 1_000_000;
const SPOOL_LOST = '... lines that waited on the disk of the delegate are lost: it could not read them\n';

/**
 * One task's lines on their way to the log service, first in, first out:
 *
 *     line() -> memory -> spool -> service
 *
 * What is in the spool is older than what is in memory. Lines leave memory at its front only: for the end of the spool, or
 * for the service once the spool has none that was not sent. So, whoever moves lines and whenever, they stay in order. They
 * go to the spool when they are more than SPILL_BYTES, and twice a second while the spool has some, or the service is away or
 * slow. Both moves take turns (`#serially`); a write to the service does not hold up a move to the disk.
 *
 * A line keeps its position for good, and the service stores none twice: lines under way stay in memory or in the spool
 * until they are acknowledged, and whoever doubts sends them again. `line` never waits and never throws.
 */
export class LogStream {
  readonly #parts: StreamParts;
  readonly #queue: LineQueue;
  readonly #backoff: Backoff;
  readonly #stopped = new AbortController();
  readonly #done: Promise<void>;
  #retry = new AbortController();
  #wake = Promise.withResolvers<void>();
  #ended = false;
  #opened = false;
  #refused = false;
  #away = false;
  #sendingSince: number | null = null;
  #flushedAt = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #spilling = false;
  #diskFault = false;
  #spoolLost = false;

  /** Goes on where the spool's former process stopped, if it had one. */
  constructor(parts: StreamParts) {
    this.#parts = parts;
    const { timings, spool, memoryBytes, memory } = parts;
    this.#backoff = new Backoff({ baseMs: timings.retryBaseMs, maxMs: timings.retryMaxMs });
    // What the former process sent last may have arrived and not be known here: its positions are not used again.
    const next = spool === null ? 0 : spool.nextPos + (spool.found ? RESTART_GAP : 0);
    this.#queue = new LineQueue({ bytes: memoryBytes, budget: memory, now: Date.now }, next);
    this.#done = this.#live();
  }

  /** Resolves when the stream is closed at the service, refused by it, or left to the next process. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** `text`: lines of one output. */
  line(source: LineSource, text: string): void {
    if (this.#ended || this.#refused || this.#stopped.signal.aborted) return;
    this.#queue.push(source, text);
    if (this.#queue.bytes > SPILL_BYTES) this.#spillSoon();
    this.#notify();
  }

  /** No more lines come. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** The connection is back: what waits for its next attempt is tried now. */
  retryNow(): void {
    this.#retry.abort();
    this.#retry = new AbortController();
  }

  /** Ends all attempts; what is not delivered stays in the spool. `done` follows soon. */
  stop(): void {
    this.#stopped.abort();
    this.retryNow();
    this.#notify();
  }

  /** The spool, while it can be used. */
  get #spool(): SpoolFile | null {
    return this.#spoolLost ? null : this.#parts.spool;
  }

  /** Never rejects. */
  async #live(): Promise<void> {
    const { service, target, timings, logger } = this.#parts;
    const spilling = setInterval(() => this.#spillWhenHeldUp(), timings.flushMs);
    try {
      await this.#attempt((signal) => this.#open(signal));
      while (await this.#somethingToDo()) {
        const batch = await this.#serially(() => this.#next());
        if (batch.length > 0) await this.#deliver(batch);
        else if (this.#ended && this.#queue.empty) {
          await this.#serially(() => this.#onDisk(() => this.#spool?.change({ ended: true })));
          await this.#attempt((signal) => service.close(target, signal));
          if (this.#stopped.signal.aborted) break;
          await this.#discard();
          return;
        }
      }
      await this.#leave();
    } catch (error) {
      // Only a refusal comes here, and what nobody foresaw: neither may harm the task.
      this.#refused = true;
      this.#queue.clear();
      logger.error({ err: error }, 'the log service does not take the log of this task; it is dropped');
      await this.#discard();
    } finally {
      clearInterval(spilling);
      this.#queue.clear();
    }
  }

  /** False when the process stops. */
  async #somethingToDo(): Promise<boolean> {
    const { timings } = this.#parts;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      if (this.#spool?.unread === true || this.#ended || this.#queue.bytes >= BATCH_BYTES) return true;
      const idle = this.#queue.empty && this.#queue.dropped === 0;
      const waitMs = Math.max(timings.gatherMs, this.#flushedAt + timings.flushMs - performance.now());
      const changed = this.#wake.promise;
      if (idle) {
        await changed;
        continue;
      }
      const over = new AbortController();
      const urgent = this.#untilUrgent(over.signal);
      await Promise.race([urgent, delay(waitMs, undefined, { signal: over.signal }).catch(() => undefined)]);
      over.abort();
      return !signal.aborted;
    }
    return false;
  }

  async #untilUrgent(over: AbortSignal): Promise<void> {
    while (!over.aborted && !this.#ended && !this.#stopped.signal.aborted && this.#queue.bytes < BATCH_BYTES) {
      await this.#wake.promise;
    }
  }

  /** What lies on disk comes before what is in memory. */
  async #next(): Promise<LogBlock[]> {
    const spool = this.#spool;
    if (spool?.unread === true) {
      const lines = await this.#onDisk(() => spool.read(BATCH_BYTES));
      if (lines !== undefined && lines.length > 0) return lines;
      // What can't be read now will not be readable later.
      if (lines === undefined) {
        this.#spoolLost = true;
        this.#queue.push('sallyport', SPOOL_LOST);
      }
    }
    await this.#onDisk(() => this.#spool?.clear());
    if (this.#queue.empty) this.#queue.markDropped();
    return this.#queue.first(BATCH_BYTES);
  }

  async #deliver(batch: readonly LogBlock[]): Promise<void> {
    const { service, target } = this.#parts;
    await this.#attempt(async (signal) => {
      // The service closes a stream that nobody writes for hours: its log goes on.
      if (!this.#opened) await this.#open(signal);
      this.#opened = await service.write(target, [...batch], signal);
      if (!this.#opened) throw new StreamMissing();
    });
    if (this.#stopped.signal.aborted) return;
    const last = batch.at(-1)?.pos ?? 0;
    this.#flushedAt = performance.now();
    this.#queue.removeThrough(last);
    await this.#serially(() => this.#onDisk(() => this.#spool?.change({ next: last + 1 })));
  }

  async #open(signal: AbortSignal): Promise<void> {
    await this.#parts.service.open(this.#parts.target, signal);
    this.#opened = true;
  }

  /** Until it succeeds or the process stops. Throws a refusal that no waiting changes. */
  async #attempt(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { logger } = this.#parts;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      this.#sendingSince = performance.now();
      try {
        await work(signal);
        if (this.#away) logger.info('the log service takes the log of this task again');
        this.#away = false;
        this.#backoff.reset();
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (isRefusal(error)) throw error;
        const message = error instanceof Error ? error.message : String(error);
        if (!this.#away) logger.warn(`the log service does not take the log of this task, trying again: ${message}`);
        this.#away = true;
        this.#spillSoon();
        const waitMs = this.#backoff.next(error instanceof ManagerError ? error.retryAfterMs : 0);
        await delay(waitMs, undefined, { signal: this.#retry.signal }).catch(() => undefined);
      } finally {
        this.#sendingSince = null;
      }
    }
  }

  #spillWhenHeldUp(): void {
    const since = this.#sendingSince;
    const slow = since !== null && performance.now() - since > this.#parts.timings.slowMs;
    if (this.#away || slow || this.#spool?.unread === true) this.#spillSoon();
  }

  /** Moves what is in memory to the spool, step by step. */
  #spillSoon(): void {
    if (this.#spilling || this.#spool === null || this.#queue.empty) return;
    this.#spilling = true;
    // Never rejects: faults of the disk are dealt with inside.
    void this.#serially(() => this.#spill()).then((all) => {
      this.#spilling = false;
      if (!all) this.#spillSoon();
    });
  }

  /**
   * Moves the first blocks, those that are under way included, as far as the spool has room; what remains may be dropped.
   * False: there are more that it has room for.
   */
  async #spill(): Promise<boolean> {
    const spool = this.#spool;
    if (spool === null || this.#queue.empty) return true;
    const blocks = this.#queue.firstBlocks(SPILL_STEP_BYTES);
    const spooled = (await this.#onDisk(() => spool.append(blocks))) ?? 0;
    const last = blocks[spooled - 1];
    if (last !== undefined) this.#queue.removeThrough(last.pos + countLines(last.out) - 1);
    return spooled < blocks.length || this.#queue.empty;
  }

  async #leave(): Promise<void> {
    await this.#serially(async () => {
      this.#queue.markDropped();
      for (let all = false; !all; ) all = await this.#spill();
      if (this.#ended && this.#queue.empty) await this.#onDisk(() => this.#spool?.change({ ended: true }));
      await this.#onDisk(() => this.#parts.spool?.close());
    });
  }

  async #discard(): Promise<void> {
    await this.#serially(async () => {
      await this.#onDisk(() => this.#parts.spool?.remove());
      this.#spoolLost = true;
    });
  }

  /** A disk that is full or gone costs lines, never a task. */
  async #onDisk<T>(work: () => Promise<T> | undefined): Promise<T | undefined> {
    try {
      const result = await work();
      this.#diskFault = false;
      return result;
    } catch (error) {
      if (!this.#diskFault)
        this.#parts.logger.error({ err: error }, 'the log spool cannot be written; lines may be lost');
      this.#diskFault = true;
      return undefined;
    }
  }

  /** One at a time, in the order in which it was asked for. */
  #serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** The stream is gone, by its age or by an accident of the service: it is opened again, and the lines go there. */
class StreamMissing extends Error {
  override readonly name = 'StreamMissing';
  override readonly message = 'The log stream is not open any more.';
}

/** A passing refusal (a mode, a certificate, too many requests) is waited out; the others will not change their mind. */
function isRefusal(error: unknown): boolean {
  if (error instanceof ManagerError)
    return error.status < 500 && ![401, 403, 408, 421, 425, 429].includes(error.status);
  return !(error instanceof TransportError || error instanceof StreamMissing);
}
