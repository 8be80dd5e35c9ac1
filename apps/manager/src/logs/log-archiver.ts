import type { LogLine } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { BlobStorage } from './blob-storage.ts';
import type { Blob, BlobStore, LineSpan } from './blob-store.ts';
import type { LineStore } from './line-store.ts';
import type { LogStream, StreamStore } from './stream-store.ts';

const SWEEP_EVERY_MS = 30_000;
/** A stream that is being closed by somebody else is left to them for this long. */
const OTHERS_MS = 60_000;
const BATCH = 100;

export interface LogArchiverParts {
  readonly streams: StreamStore;
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

  /** Closes an open stream and makes its blob; the readers are told. Resolves when it is over, as `archiveSoon`. */
  async retire(stream: LogStream): Promise<void> {
    if (!(await this.#parts.streams.close(stream.id, this.#parts.clock.now().getTime()))) return;
    this.#parts.onEnded(stream.id);
    await this.archiveSoon(stream);
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
    const { streams, clock, logger } = this.#parts;
    const now = clock.now().getTime();
    try {
      for (const stream of await streams.idle(now, BATCH)) await this.retire(stream);
      for (const stream of await streams.unfinished(ours ? now : now - OTHERS_MS, BATCH))
        await this.archiveSoon(stream);
      await streams.deleteLingered(now);
    } catch (error) {
      logger.error({ err: error }, 'finished logs were not looked after; trying again');
    }
  }

  async #archive(stream: LogStream, { snapshot }: { snapshot: boolean }): Promise<void> {
    const { streams, blobs } = this.#parts;
    const { owner, key } = stream;
    if (stream.continues) {
      for (const former of await streams.unfinishedBefore(stream)) await this.archive(former, { snapshot: true });
    }
    // A line that was being written when it was closed is there now; none comes after it.
    const whole = await streams.byId(stream.id);
    if (whole === null) return;
    const empty = whole.next === whole.first;
    const current = await blobs.find(owner, key);
    const uploaded = !snapshot && current !== null && current.size > 0 && current.createdAt >= whole.openedAt;
    // A process that died before it could say so has stored it.
    const stored = current?.span != null && current.span.first <= whole.first && current.span.next >= whole.next;
    if (!uploaded && !stored && (snapshot || !empty)) await this.#store(whole, current);
    await streams.finish(stream.id);
  }

  async #store(stream: LogStream, current: Blob | null): Promise<void> {
    const { lines, blobs, storage, clock } = this.#parts;
    const name = await blobs.begin(stream.owner, stream.key, clock.now().getTime());
    try {
      const earlier = earlierOf(stream, current);
      const { size, stored } = await storage.put(name, this.#content(stream, earlier));
      const first = earlier?.span.first ?? (stream.first > stream.base ? stream.first - 1 : stream.first);
      const writers = await lines.writersOf(stream.id);
      await blobs.finish(name, size, stored, { streamId: stream.id, first, next: stream.next, writers });
    } catch (error) {
      await blobs.abandon(name);
      throw error;
    }
  }

  async *#content(stream: LogStream, earlier: ArchivedLog | null): AsyncGenerator<Buffer> {
    const { lines, clock } = this.#parts;
    if (earlier !== null) yield* await this.#parts.storage.get(earlier.name);
    else if (stream.first > stream.base) yield droppedMark(stream, clock.now());
    for await (const chunks of lines.read(stream.id, stream.first)) for (const { body } of chunks) yield body;
  }

  /** The lines of a stream that is not in a blob yet, as the blob will have them. */
  async read(stream: LogStream): Promise<AsyncIterable<Buffer>> {
    const current = await this.#parts.blobs.find(stream.owner, stream.key);
    return this.#content(stream, earlierOf(stream, current));
  }
}

/** A blob that was made of a stream. */
export type ArchivedLog = Blob & { readonly span: LineSpan };

/** The blob that the stream goes on with, whose rows stand before its lines. Lines that were dropped since would be a hole. */
export function earlierOf({ continues, base, first }: LogStream, current: Blob | null): ArchivedLog | null {
  if (!continues || first > base || !isArchived(current)) return null;
  return current.span.next === base ? current : null;
}

export function isArchived(blob: Blob | null): blob is ArchivedLog {
  return blob !== null && blob.span !== null;
}

/** Stands in the place of the last line that was dropped: rows are counted. */
function droppedMark({ first, base }: LogStream, now: Date): Buffer {
  const line: LogLine = {
    level: 'warn',
    pos: 0,
    out: `[${first - base} earlier lines of this log were dropped: a log keeps its newest ones]\n`,
    time: now.toISOString(),
    args: null,
  };
  return Buffer.from(`${JSON.stringify(line)}\n`, 'utf8');
}
