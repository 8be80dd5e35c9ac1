import type { LogLine } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { BlobStorage } from './blob-storage.ts';
import type { BlobStore } from './blob-store.ts';
import type { LineStore, LogStream } from './line-store.ts';

const SWEEP_EVERY_MS = 30_000;
/** A stream that is being closed by somebody else is left to them for this long. */
const OTHERS_MS = 60_000;
const BATCH = 100;

export interface LogArchiverParts {
  readonly lines: LineStore;
  readonly blobs: BlobStore;
  readonly storage: BlobStorage;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onEnded: (streamId: string) => void;
}

/**
 * Turns finished streams into blobs. That a stream is finished is committed before its blob is made, and its lines stay until
 * the blob is: whatever dies in between, the next sweep, of this process or another, makes the blob.
 */
export class LogArchiver {
  readonly #parts: LogArchiverParts;
  readonly #running = new Map<string, Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | null = null;

  constructor(parts: LogArchiverParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.sweep(), SWEEP_EVERY_MS);
  }

  /** Makes the blob of a stream that is being closed, unless its writer has uploaded one. Rejects when that fails. */
  archive(stream: LogStream, options: { readonly snapshot: boolean }): Promise<void> {
    const known = this.#running.get(stream.id);
    if (known !== undefined) return known;
    const running = this.#archive(stream, options).finally(() => this.#running.delete(stream.id));
    this.#running.set(stream.id, running);
    return running;
  }

  /** As `archive`; a failure is logged, and the sweep tries again. Resolves when it is over. */
  async archiveSoon(stream: LogStream): Promise<void> {
    try {
      await this.archive(stream, { snapshot: false });
    } catch (error) {
      this.#parts.logger.error({ err: error, streamId: stream.id }, 'a finished log was not stored; trying again');
    }
  }

  /** Streams that nobody closed, streams that are not in a blob yet, and streams whose time is over. `ours`: nobody else is at work. */
  sweep(ours = false): Promise<void> {
    this.#sweeping ??= this.#sweep(ours).finally(() => {
      this.#sweeping = null;
    });
    return this.#sweeping;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
    await Promise.allSettled(this.#running.values());
  }

  async #sweep(ours: boolean): Promise<void> {
    const { lines, clock, logger, onEnded } = this.#parts;
    const now = clock.now().getTime();
    try {
      for (const stream of await lines.idle(now, BATCH)) {
        if (!(await lines.close(stream.id, now))) continue;
        onEnded(stream.id);
        await this.archiveSoon(stream);
      }
      for (const stream of await lines.unfinished(ours ? now : now - OTHERS_MS, BATCH)) await this.archiveSoon(stream);
      await lines.deleteLingered(now);
    } catch (error) {
      logger.error({ err: error }, 'finished logs were not looked after; trying again');
    }
  }

  async #archive(stream: LogStream, { snapshot }: { snapshot: boolean }): Promise<void> {
    const { lines, blobs, storage, clock } = this.#parts;
    const { owner, key } = stream;
    // A line that was being written when it was closed is there now; none comes after it.
    const whole = (await lines.byId(stream.id)) ?? stream;
    const empty = whole.next === whole.first;
    const uploaded = snapshot ? null : await blobs.find(owner, key);
    const complete = uploaded !== null && uploaded.size > 0 && uploaded.createdAt >= whole.openedAt;
    if (!complete && (snapshot || !empty)) {
      const name = await blobs.begin(owner, key, clock.now().getTime());
      try {
        const { size, stored } = await storage.put(name, this.#content(whole));
        await blobs.finish(name, size, stored);
      } catch (error) {
        await blobs.abandon(name);
        throw error;
      }
    }
    await lines.finish(stream.id);
  }

  async *#content(stream: LogStream): AsyncGenerator<Buffer> {
    const { lines, clock } = this.#parts;
    if (stream.first > stream.base) yield droppedMark(stream, clock.now());
    for await (const chunks of lines.read(stream.id, stream.first)) for (const { body } of chunks) yield body;
  }

  /** The lines of a stream that is not in a blob yet, as the blob will have them. */
  read(stream: LogStream): AsyncIterable<Buffer> {
    return this.#content(stream);
  }
}

function droppedMark({ first, base }: LogStream, now: Date): Buffer {
  const line: LogLine = {
    level: 'warn',
    pos: 0,
    out: `[${first - base} earlier lines of this log were dropped: a stream keeps its newest ones]\n`,
    time: now.toISOString(),
    args: null,
  };
  return Buffer.from(`${JSON.stringify(line)}\n`, 'utf8');
}
