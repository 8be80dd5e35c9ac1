import { setTimeout as delay } from 'node:timers/promises';
import { Backoff, ManagerError, TransportError } from '@sallyport/client';
import type { LogLine } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { LineQueue, type LineSource } from './line-queue.ts';
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
  readonly memoryBytes: number;
  readonly logger: Logger;
}

/** Writers of ours stay below this. */
const BATCH_BYTES = 200_000;
const RESTART_GAP = 1_000_000;

/**
 * One task's lines on their way to the log service: memory first; on disk while the service is away or slow; in order
 * always. `line` never waits and never throws, whatever becomes of the service.
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
  #opened: boolean;
  #refused = false;
  #away = false;
  /** A write's answer was lost, or the process that sent it: it may have been taken. */
  #uncertain: boolean;
  #sendingSince: number | null = null;
  #flushedAt = 0;
  #disk: Promise<unknown> = Promise.resolve();
  #diskFault = false;
  #spoolLost = false;

  /** Goes on where the spool's former process stopped, if it had one. */
  constructor(parts: StreamParts) {
    this.#parts = parts;
    const { timings, spool } = parts;
    this.#backoff = new Backoff({ baseMs: timings.retryBaseMs, maxMs: timings.retryMaxMs });
    const next = spool?.nextPos ?? 0;
    // What the former process sent last may have arrived and not be known here: its positions are not used again.
    this.#queue = new LineQueue(
      { bytes: parts.memoryBytes, now: Date.now },
      spool?.state.opened === true ? next + RESTART_GAP : next,
    );
    this.#opened = spool?.state.opened ?? false;
    this.#uncertain = this.#opened;
    this.#done = this.#live();
  }

  /** Resolves when the stream is closed at the service, refused by it, or left to the next process. */
  get done(): Promise<void> {
    return this.#done;
  }

  line(source: LineSource, out: string): void {
    if (this.#ended || this.#refused || this.#stopped.signal.aborted) return;
    this.#queue.push(source, out);
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

  /** Never rejects. */
  async #live(): Promise<void> {
    const { logger, timings } = this.#parts;
    const spilling = setInterval(() => this.#spillWhenHeldUp(), timings.flushMs);
    try {
      if (!this.#opened) await this.#attempt((signal) => this.#open(signal));
      while (await this.#somethingToDo()) {
        const batch = await this.#serially(() => this.#next());
        if (batch.length > 0) await this.#deliver(batch);
        else if (this.#ended && this.#queue.empty) {
          await this.#onDisk(() => this.#parts.spool?.change({ ended: true }));
          await this.#attempt((signal) => this.#parts.service.close(this.#parts.target, signal));
          await this.#discard();
          return;
        }
      }
      await this.#leave();
    } catch (error) {
      // Only a refusal comes here, and what nobody foresaw: neither may harm the task.
      this.#refused = true;
      logger.error({ err: error }, 'the log service does not take the log of this task; it is dropped');
      await this.#discard();
    } finally {
      clearInterval(spilling);
    }
  }

  /** False when the process stops. */
  async #somethingToDo(): Promise<boolean> {
    const { timings, spool } = this.#parts;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      if ((spool?.unread === true && !this.#spoolLost) || this.#ended || this.#queue.bytes >= BATCH_BYTES) return true;
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
  async #next(): Promise<LogLine[]> {
    const { spool } = this.#parts;
    if (spool?.unread === true && !this.#spoolLost) {
      const lines = await this.#onDisk(() => spool.read(BATCH_BYTES));
      // What can't be read now will not be readable later.
      this.#spoolLost = lines === undefined;
      if (lines !== undefined && lines.length > 0) return lines;
    }
    await this.#onDisk(() => spool?.clear());
    if (this.#queue.empty) this.#queue.markDropped();
    return this.#queue.first(BATCH_BYTES);
  }

  async #deliver(batch: readonly LogLine[]): Promise<void> {
    const { service, target, spool } = this.#parts;
    let rest = batch;
    await this.#attempt(async (signal) => {
      if (!this.#opened) await this.#openAgain(signal);
      if (this.#uncertain) {
        const taken = await service.lastTaken(target, rest[0]?.pos ?? 0, rest.at(-1)?.pos ?? 0, signal);
        rest = rest.filter(({ pos = 0 }) => taken === null || pos > taken);
        this.#uncertain = false;
      }
      if (rest.length === 0) return;
      this.#uncertain = true;
      try {
        this.#opened = await service.write(target, [...rest], signal);
      } catch (error) {
        this.#uncertain = mayHaveArrived(error);
        throw error;
      }
      this.#uncertain = false;
      if (!this.#opened) throw new StreamMissing();
    });
    if (this.#stopped.signal.aborted) return;
    const last = batch.at(-1)?.pos ?? 0;
    this.#flushedAt = performance.now();
    this.#queue.removeThrough(last);
    await this.#onDisk(() => spool?.change({ next: last + 1, opened: true }));
  }

  /**
   * The service closes a stream that nobody writes for hours, and makes a blob of it. That blob would give way to the one
   * that the stream makes when the task has ended, so its lines are put in front of the new ones.
   */
  async #openAgain(signal: AbortSignal): Promise<void> {
    const { service, target } = this.#parts;
    const earlier = await service.stored(target, signal);
    await this.#open(signal);
    if (earlier.length === 0) return;
    this.#opened = false;
    this.#opened = await service.write(target, earlier, signal);
    if (!this.#opened) throw new StreamMissing();
  }

  async #open(signal: AbortSignal): Promise<void> {
    await this.#parts.service.open(this.#parts.target, signal);
    this.#opened = true;
    this.#uncertain = false;
    await this.#onDisk(() => this.#parts.spool?.change({ opened: true }));
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
        await this.#serially(() => this.#spill());
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
    // Never rejects: faults of the disk are dealt with inside.
    if (this.#away || slow) void this.#serially(() => this.#spill());
  }

  /** Moves lines from memory to disk as far as there is room; what remains in memory may be dropped. */
  async #spill(): Promise<void> {
    const { spool } = this.#parts;
    if (spool === null || this.#spoolLost) return;
    while (!this.#queue.empty) {
      const lines = this.#queue.first(BATCH_BYTES);
      const spooled = (await this.#onDisk(() => spool.append(lines))) ?? 0;
      const last = lines[spooled - 1]?.pos;
      if (last !== undefined) this.#queue.removeThrough(last);
      if (spooled < lines.length) return;
    }
    if (this.#ended) await this.#onDisk(() => spool.change({ ended: true }));
  }

  async #leave(): Promise<void> {
    await this.#serially(async () => {
      this.#queue.markDropped();
      await this.#spill();
      await this.#onDisk(() => this.#parts.spool?.close());
    });
  }

  async #discard(): Promise<void> {
    await this.#serially(() => this.#onDisk(() => this.#parts.spool?.remove()));
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

  /** One at a time: what is read from disk and what is moved there must not change places. */
  #serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#disk.then(work);
    this.#disk = result.catch(() => undefined);
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

const NEVER_SENT: ReadonlySet<string> = new Set([
  'NAME_NOT_FOUND',
  'CONNECTION_REFUSED',
  'UNREACHABLE',
  'SERVER_UNTRUSTED',
  'SERVER_NAME_MISMATCH',
  'SERVER_CERTIFICATE_EXPIRED',
  'PROXY_FAILED',
  'PROXY_REFUSED',
  'PROXY_CREDENTIALS',
]);

function mayHaveArrived(error: unknown): boolean {
  if (error instanceof ManagerError) return error.status >= 500;
  return !(error instanceof TransportError && NEVER_SENT.has(error.failure));
}
