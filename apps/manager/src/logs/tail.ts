import type { ServerResponse } from 'node:http';
import { LOG_EOF, LOG_PING, LOG_PING_EVERY_MS, LOG_TAIL_LIMIT_MS, logTailEvents } from '@sallyport/protocol';
import type { LiveStream, Piece, StreamReader } from './live-stream.ts';

/** A reader that takes nothing for this long is told to come back. */
const SLOW_AFTER_MS = 30_000;
/** Time for the last words of a tail to leave, in milliseconds. */
const FAREWELL_MS = 5_000;
/** A reader that took nothing for a while is told so when it reads again: a debugger's pause, a laptop that slept. */
const SLOW_FAREWELL_MS = 5 * 60_000;

export interface TailTimings {
  readonly pingEveryMs: number;
  readonly limitMs: number;
  readonly slowAfterMs: number;
}

export const TAIL_TIMINGS: TailTimings = {
  pingEveryMs: LOG_PING_EVERY_MS,
  limitMs: LOG_TAIL_LIMIT_MS,
  slowAfterMs: SLOW_AFTER_MS,
};

export const TAIL_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  connection: 'keep-alive',
  'x-accel-buffering': 'no',
  'access-control-allow-origin': '*',
} as const;

export const LAST_EVENT = event(logTailEvents.end, LOG_EOF);
/** What a tail says when there is nothing to read: a missing stream. */
export const EMPTY_TAIL = `${LOG_PING}\n\n${LAST_EVENT}`;

/**
 * One client that reads one stream, as server-sent events. It holds no lines of its own but the piece in the socket's
 * buffer: a client that reads slowly falls behind in the stream's memory, is told how many lines it missed, and is ended
 * when it takes nothing at all.
 */
export class Tail implements StreamReader {
  readonly #response: ServerResponse;
  readonly #timings: TailTimings;
  readonly #startedAt: number;
  #stream: LiveStream | null = null;
  #next = 0;
  #quietSince: number;
  #blockedSince: number | null = null;
  #fetching = false;
  #over = false;
  #fed: (() => void) | null = null;

  /** `now` is in milliseconds of a clock that only goes forwards. */
  constructor(response: ServerResponse, timings: TailTimings, now: number) {
    this.#response = response;
    this.#timings = timings;
    this.#startedAt = now;
    this.#quietSince = now;
    response.on('drain', () => {
      this.#blockedSince = null;
      this.#fed?.();
      this.wake();
    });
    response.once('close', () => {
      this.#over = true;
      this.#fed?.();
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** Tells the client that it is heard. The response's head has been sent. */
  greet(): void {
    this.#send(`${LOG_PING}\n\n`);
  }

  /** Sends lines that are not the stream's, and waits until the client has room for more. False: it is over. */
  async feed({ bytes, next }: Piece): Promise<boolean> {
    if (this.#over) return false;
    this.#next = next;
    this.#send(bytes);
    if (this.#blockedSince !== null) await new Promise<void>((resolve) => (this.#fed = resolve));
    return !this.#over;
  }

  /** Begins with the line `next`, or the first that is kept after it. */
  start(stream: LiveStream, next: number): void {
    this.#stream = stream;
    this.#next = next;
    this.wake();
  }

  wake(): void {
    const stream = this.#stream;
    if (stream === null) return;
    while (!this.#over && !this.#fetching && this.#blockedSince === null) {
      if (this.#next < stream.first) {
        void this.#catchUp(stream);
        return;
      }
      const piece = stream.pieceFrom(this.#next);
      if (piece === null) break;
      this.#next = piece.next;
      this.#send(piece.bytes);
    }
    if (stream.ended && !this.#fetching && this.#next >= stream.next && this.#blockedSince === null)
      this.end(LAST_EVENT);
  }

  /** Looks at the time: silence, the hour, a reader that takes nothing. */
  look(now: number): void {
    if (this.#over) return;
    if (this.#blockedSince !== null) {
      // What was given to the socket may not have arrived: the client says itself where it stands.
      if (now - this.#blockedSince >= this.#timings.slowAfterMs) {
        this.end(event(logTailEvents.slow, JSON.stringify({ after: this.#next - 1 })), SLOW_FAREWELL_MS);
      }
    } else if (now - this.#startedAt >= this.#timings.limitMs) {
      this.end(LAST_EVENT);
    } else if (now - this.#quietSince >= this.#timings.pingEveryMs) {
      this.#send(`${LOG_PING}\n\n`);
    }
  }

  /** Ends the answer; its connection may be used again. What the client has not taken after `withinMs` is not waited for. */
  end(lastWords = '', withinMs = FAREWELL_MS): void {
    if (this.#over) return;
    this.#over = true;
    this.#fed?.();
    const response = this.#response;
    const late = setTimeout(() => response.destroy(), withinMs);
    late.unref();
    response.once('close', () => clearTimeout(late));
    response.end(lastWords);
  }

  /** Sends a piece of the lines that are not in memory any more. Never rejects. */
  async #catchUp(stream: LiveStream): Promise<void> {
    this.#fetching = true;
    try {
      const behind = await stream.pieceBehind(this.#next);
      if (this.#over) return;
      const from = behind?.from ?? stream.first;
      if (from > this.#next) {
        this.#send(event(logTailEvents.gap, JSON.stringify({ lines: from - this.#next })));
        this.#next = from;
      }
      if (behind !== null) {
        this.#next = behind.piece.next;
        this.#send(behind.piece.bytes);
      }
    } catch {
      // The store cannot be read: whoever comes back with Last-Event-ID goes on here.
      this.end();
    } finally {
      this.#fetching = false;
    }
    this.wake();
  }

  #send(what: string | Buffer): void {
    const now = performance.now();
    this.#quietSince = now;
    if (!this.#response.write(what)) this.#blockedSince = now;
  }
}

function event(name: string, data: string): string {
  return `event: ${name}\ndata: ${data}\n\n`;
}
