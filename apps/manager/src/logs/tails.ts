import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Bus } from '../bus/bus.ts';
import { blobEvents } from './blob-lines.ts';
import type { BlobStorage } from './blob-storage.ts';
import type { Blob, BlobStore } from './blob-store.ts';
import type { LiveStream } from './live-stream.ts';
import type { LiveStreams } from './live-streams.ts';
import { type ArchivedLog, earlierOf, isArchived } from './log-archiver.ts';
import type { LogCaller } from './log-authentication.ts';
import type { LogKey } from './log-key.ts';
import type { LogStream, StreamStore } from './stream-store.ts';
import { EMPTY_TAIL, LAST_EVENT, TAIL_HEADERS, TAIL_TIMINGS, Tail, type TailTimings } from './tail.ts';

const LOOK_EVERY_MS = 1_000;
/** What admitted a tail is looked at again this often; a revoked API key is announced by nobody. */
const RECHECK_EVERY_MS = 60_000;

export interface TailsParts {
  readonly streams: StreamStore;
  readonly live: LiveStreams;
  readonly blobs: BlobStore;
  readonly storage: Pick<BlobStorage, 'get'>;
  readonly bus: Bus;
  readonly logger: Logger;
  readonly timings?: TailTimings;
}

/** Where a tail is asked to begin. */
export interface TailStart {
  /** `start`, `newest` (what is in memory), `end`, or the first sequence number that is wanted. */
  readonly from: 'start' | 'newest' | 'end' | number;
  /** True: a stream that was closed still counts, and its blob. */
  readonly lingering: boolean;
}

interface OpenTail {
  readonly tail: Tail;
  readonly accountId: string;
  /** Rejects when who opened it may not any more. */
  readonly recheck: () => Promise<unknown>;
  checkedAt: number;
  checking: boolean;
}

/** All tails of this process. */
export class Tails {
  readonly #parts: TailsParts;
  readonly #open = new Set<OpenTail>();
  readonly #unsubscribe: (() => void)[];
  readonly #timer: NodeJS.Timeout;

  constructor(parts: TailsParts) {
    this.#parts = parts;
    const changed = ({ accountId }: { accountId: string }) => this.#recheck((tail) => tail.accountId === accountId);
    this.#unsubscribe = [
      parts.bus.subscribe('tokens-changed', changed),
      parts.bus.subscribe('trust-changed', changed),
      parts.bus.subscribe('resync', () => this.#recheck(() => true)),
    ];
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Answers with the stream's lines as they come. Rejects, with nothing sent, when the store cannot be read; resolves when
   * the tail runs. `onHead` is called before anything is sent. It ends by itself: with the stream, after its time, when its client goes or may not any more.
   */
  async open(
    response: ServerResponse,
    caller: LogCaller,
    key: LogKey,
    start: TailStart,
    recheck: () => Promise<unknown>,
    onHead: () => void,
  ): Promise<void> {
    const { streams, live, blobs, timings = TAIL_TIMINGS } = this.#parts;
    const last = await streams.find(caller.owner, key, start.lingering);
    const blob = start.lingering ? await blobs.find(caller.owner, key) : null;
    const found = last !== null && isPartOf(last, blob) ? null : last;
    const log = readable(found, blob, start.from);
    if (found === null && log === null) {
      onHead();
      response.writeHead(200, TAIL_HEADERS);
      response.end(EMPTY_TAIL);
      return;
    }
    const tail = new Tail(response, timings, performance.now());
    const stream = found === null ? null : await live.join(found, tail);
    const open: OpenTail = {
      ...{ tail, accountId: caller.accountId, recheck, checkedAt: performance.now(), checking: false },
    };
    const leave = () => {
      this.#open.delete(open);
      if (stream !== null) live.leave(stream, tail);
    };
    onHead();
    if (response.destroyed || response.writableEnded) return leave();
    response.once('close', leave);
    this.#open.add(open);
    response.writeHead(200, TAIL_HEADERS);
    response.flushHeaders();
    tail.greet();
    const run = async () => {
      if (log !== null && !(await this.#feed(tail, log))) return;
      if (found === null || stream === null) tail.end(LAST_EVENT);
      else tail.start(stream, log?.blob.span.next ?? beginning(start.from, found, stream));
    };
    void run();
    // Whatever changed since it was admitted did not find it; from here on it is found.
    await this.#recheckOne(open);
  }

  /** Sends what the log's blob has. False: the tail is over. Never rejects. */
  async #feed(tail: Tail, { blob, from }: ArchivedPart): Promise<boolean> {
    try {
      const content = await this.#parts.storage.get(blob.name);
      for await (const piece of blobEvents(content, blob.span.first, from)) if (!(await tail.feed(piece))) return false;
      return !tail.over;
    } catch (error) {
      this.#parts.logger.warn({ err: error, blob: blob.name }, 'a stored log was not read to its end');
      // Whoever comes back with Last-Event-ID goes on where this ends.
      tail.end();
      return false;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const { tail } of this.#open) tail.end();
  }

  #look(): void {
    const now = performance.now();
    for (const open of this.#open) {
      open.tail.look(now);
      if (open.tail.over) {
        this.#open.delete(open);
        continue;
      }
      if (now - open.checkedAt >= RECHECK_EVERY_MS) void this.#recheckOne(open);
    }
  }

  async #recheck(which: (open: OpenTail) => boolean): Promise<void> {
    await Promise.all([...this.#open].filter(which).map((open) => this.#recheckOne(open)));
  }

  async #recheckOne(open: OpenTail): Promise<void> {
    open.checkedAt = performance.now();
    try {
      await open.recheck();
    } catch (error) {
      this.#parts.logger.debug(
        { err: error, accountId: open.accountId },
        'a tail was ended: who reads it may not any more',
      );
      open.tail.end();
    }
  }
}

/** What a tail reads of a blob before it comes to the stream, or instead of one. */
interface ArchivedPart {
  readonly blob: ArchivedLog;
  readonly from: number;
}

/** A log that goes on has ended, and all of it is in its blob. */
function isPartOf({ state, continues, next }: LogStream, blob: Blob | null): boolean {
  return state !== 'open' && continues && isArchived(blob) && blob.span.next >= next;
}

/** Lines that are wanted and only in a blob: of a log that has ended, or of the part of it that the stream goes on with. */
function readable(found: LogStream | null, blob: Blob | null, from: TailStart['from']): ArchivedPart | null {
  const archived = found === null ? blob : earlierOf(found, blob);
  if (!isArchived(archived)) return null;
  const { first, next } = archived.span;
  if (from === 'start' || from === 'end' || from === 'newest')
    return from === 'start' ? { blob: archived, from: first } : null;
  if (found !== null) return from < next ? { blob: archived, from } : null;
  return { blob: archived, from: from > next ? first : from };
}

/** A position beyond the stream's end is one of another stream that had this key: then everything is new. */
function beginning(from: TailStart['from'], found: LogStream, stream: LiveStream): number {
  if (from === 'end') return stream.next;
  if (from === 'newest') return stream.first;
  return from === 'start' || from > stream.next ? found.base : from;
}
