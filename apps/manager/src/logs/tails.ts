import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Bus } from '../bus/bus.ts';
import type { LineStore, LogStream } from './line-store.ts';
import type { LiveStream } from './live-stream.ts';
import type { LiveStreams } from './live-streams.ts';
import type { LogCaller } from './log-authentication.ts';
import type { LogKey } from './log-key.ts';
import { EMPTY_TAIL, TAIL_HEADERS, TAIL_TIMINGS, Tail, type TailTimings } from './tail.ts';

const LOOK_EVERY_MS = 1_000;
/** What admitted a tail is looked at again this often; a revoked API key is announced by nobody. */
const RECHECK_EVERY_MS = 60_000;

export interface TailsParts {
  readonly store: LineStore;
  readonly live: LiveStreams;
  readonly bus: Bus;
  readonly logger: Logger;
  readonly timings?: TailTimings;
}

/** Where a tail is asked to begin. */
export interface TailStart {
  /** `start`, `end`, or the first sequence number that is wanted. */
  readonly from: 'start' | 'end' | number;
  /** True: a stream that was closed a moment ago still counts. */
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
    const { store, live, timings = TAIL_TIMINGS } = this.#parts;
    const found = await store.find(caller.owner, key, start.lingering);
    if (found === null) {
      onHead();
      response.writeHead(200, TAIL_HEADERS);
      response.end(EMPTY_TAIL);
      return;
    }
    const tail = new Tail(response, timings, performance.now());
    const stream = await live.join(found, tail);
    const open: OpenTail = {
      ...{ tail, accountId: caller.accountId, recheck, checkedAt: performance.now(), checking: false },
    };
    const leave = () => {
      this.#open.delete(open);
      live.leave(stream, tail);
    };
    onHead();
    if (response.destroyed || response.writableEnded) return leave();
    response.once('close', leave);
    this.#open.add(open);
    response.writeHead(200, TAIL_HEADERS);
    response.flushHeaders();
    tail.start(stream, beginning(start.from, found, stream));
    // Whatever changed since it was admitted did not find it; from here on it is found.
    await this.#recheckOne(open);
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

/** A position beyond the stream's end is one of another stream that had this key: then everything is new. */
function beginning(from: TailStart['from'], found: LogStream, stream: LiveStream): number {
  if (from === 'end') return stream.next;
  if (from === 'start') return found.base;
  return from > stream.next ? stream.first : from;
}
