import type { ServerResponse } from 'node:http';
import { LOG_EOF, LOG_PING, LOG_PING_EVERY_MS, LOG_TAIL_LIMIT_MS, logTailEvents } from '@sallyport/protocol';
import type { LiveStream, StreamReader } from './live-stream.ts';

/** A reader that takes nothing for this long is told to come back. */
const SLOW_AFTER_MS = 30_000;
/** Time for the last words of a tail to leave, in milliseconds. */
const FAREWELL_MS = 5_000;

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

/** What a tail says when there is nothing to read: a missing stream. */
export const EMPTY_TAIL = `${LOG_PING}\n\n${event(logTailEvents.end, LOG_EOF)}`;

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
  #over = false;

  /** `now` is in milliseconds of a clock that only goes forwards. */
  constructor(response: ServerResponse, timings: TailTimings, now: number) {
    this.#response = response;
    this.#timings = timings;
    this.#startedAt = now;
    this.#quietSince = now;
    response.on('drain', () => {
      this.#blockedSince = null;
      this.wake();
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** Begins with the line `next`, or the first that is kept after it. The response's head has been sent. */
  start(stream: LiveStream, next: number): void {
    this.#send(`${LOG_PING}\n\n`);
    this.#stream = stream;
    this.#next = next;
    this.wake();
  }

  wake(): void {
    const stream = this.#stream;
    if (stream === null) return;
    while (!this.#over && this.#blockedSince === null) {
      if (this.#next < stream.first) {
        this.#send(event(logTailEvents.gap, JSON.stringify({ lines: stream.first - this.#next })));
        this.#next = stream.first;
      }
      const piece = stream.pieceFrom(this.#next);
      if (piece === null) break;
      this.#next = piece.next;
      this.#send(piece.bytes);
    }
    if (stream.ended && this.#next >= stream.next && this.#blockedSince === null)
      this.end(event(logTailEvents.end, LOG_EOF));
  }

  /** Looks at the time: silence, the hour, a reader that takes nothing. */
  look(now: number): void {
    if (this.#over) return;
    if (this.#blockedSince !== null) {
      // What was given to the socket may not have arrived: the client says itself where it stands.
      if (now - this.#blockedSince >= this.#timings.slowAfterMs) {
        this.end(event(logTailEvents.slow, JSON.stringify({ after: this.#next - 1 })));
      }
    } else if (now - this.#startedAt >= this.#timings.limitMs) {
      this.end(event(logTailEvents.end, LOG_EOF));
    } else if (now - this.#quietSince >= this.#timings.pingEveryMs) {
      this.#send(`${LOG_PING}\n\n`);
    }
  }

  /** Ends the answer; its connection may be used again. */
  end(lastWords = ''): void {
    if (this.#over) return;
    this.#over = true;
    const response = this.#response;
    const late = setTimeout(() => response.destroy(), FAREWELL_MS);
    late.unref();
    response.once('close', () => clearTimeout(late));
    response.end(lastWords);
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
