import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LineStore, StoredChunk, StreamBounds } from './line-store.ts';
import { linesOf } from './log-lines.ts';

/** Of one piece that a reader is given, in bytes. */
const MAX_PIECE_BYTES = 65_536;
const SLACK = 1.1;
const WOKEN_A_TURN = 50;

/** Somebody who reads a stream; woken when there is more, or when it has ended. */
export interface StreamReader {
  wake(): void;
}

/** Lines as events, ready to be sent. */
export interface Piece {
  readonly bytes: Buffer;
  /** Sequence number after its last line. */
  readonly next: number;
}

/**
 * The newest lines of one stream, in memory while somebody reads it: however many readers there are, the store is read
 * once, and the lines that this process writes come here without being read at all.
 */
export class LiveStream {
  readonly id: string;
  readonly readers = new Set<StreamReader>();
  /** Over when what was stored at its beginning is here. */
  loaded: Promise<void> = Promise.resolve();
  readonly #store: LineStore;
  readonly #bounds: StreamBounds;
  readonly #onSize: (bytes: number) => void;
  readonly #onGap: (stream: LiveStream) => void;
  /** Events; the first one is of the line `#first`. */
  #events: string[] = [];
  #first: number;
  #bytes = 0;
  #ended = false;
  #reading: Promise<void> | null = null;
  #again = false;
  #waking = false;
  #wakeAgain = false;
  #piece: { from: number; piece: Piece } | null = null;

  constructor(
    id: string,
    first: number,
    parts: {
      store: LineStore;
      bounds: StreamBounds;
      onSize: (bytes: number) => void;
      /** Others have written in between: the stream has to catch up. */
      onGap: (stream: LiveStream) => void;
    },
  ) {
    this.id = id;
    this.#first = first;
    this.#store = parts.store;
    this.#bounds = parts.bounds;
    this.#onSize = parts.onSize;
    this.#onGap = parts.onGap;
  }

  /** Of the first line that is kept, and of the next one to come. */
  get first(): number {
    return this.#first;
  }
  get next(): number {
    return this.#first + this.#events.length;
  }
  /** True when no line comes after those that are here. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Lines that this process has just written. */
  written({ first, lines, body }: StoredChunk): void {
    if (this.#reading !== null) {
      this.#again = true;
      return;
    }
    if (first > this.next) {
      this.#onGap(this);
      return;
    }
    this.#add({ first, lines, body });
    void this.#wakeAll();
  }

  /** Reads what is new in the store, and whether the stream has ended. Rejects when it can't be read. */
  catchUp(): Promise<void> {
    if (this.#reading !== null) this.#again = true;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  /** The events from `seq` on, as far as one piece goes; null when there are none yet. `seq` is at least `first`. */
  pieceFrom(seq: number): Piece | null {
    if (seq >= this.next) return null;
    // Readers of the newest lines all ask for the same piece.
    if (this.#piece?.from === seq) return this.#piece.piece;
    let length = 0;
    let index = seq - this.#first;
    const from = index;
    for (; index < this.#events.length && (length === 0 || length < MAX_PIECE_BYTES); index += 1) {
      length += this.#events[index]?.length ?? 0;
    }
    const piece = { bytes: Buffer.from(this.#events.slice(from, index).join(''), 'utf8'), next: this.#first + index };
    this.#piece = { from: seq, piece };
    return piece;
  }

  /** Lets go of what it holds. */
  release(): void {
    this.#onSize(-this.#bytes);
    this.#bytes = 0;
    this.#events = [];
    this.#piece = null;
  }

  async #read(): Promise<void> {
    do {
      this.#again = false;
      // Asked first: a line that is written after this is announced, and one before it is read.
      const stream = await this.#store.byId(this.id);
      if (stream === null) {
        this.#ended = true;
      } else if (stream.next > this.next) {
        for await (const chunks of this.#store.read(this.id, this.next)) for (const chunk of chunks) this.#add(chunk);
      }
      if (stream !== null && stream.state !== 'open' && this.next >= stream.next) this.#ended = true;
    } while (this.#again);
    void this.#wakeAll();
  }

  #add(chunk: StoredChunk): void {
    const { first, lines } = chunk;
    if (first + lines <= this.next) return;
    const texts = linesOf(chunk);
    if (first > this.next) {
      // The lines in between are no longer kept by the store either.
      this.release();
      this.#first = first;
    }
    let added = 0;
    for (let index = this.next - first; index < texts.length; index += 1) {
      const event = `id: ${first + index}\ndata: ${texts[index]}\n\n`;
      this.#events.push(event);
      added += event.length;
    }
    this.#grow(added);
    this.#trim();
  }

  #trim(): void {
    const { lines, bytes } = this.#bounds;
    if (this.#events.length <= lines * SLACK && this.#bytes <= bytes * SLACK * 1.5) return;
    let drop = 0;
    let dropped = 0;
    while (
      drop < this.#events.length - 1 &&
      (this.#events.length - drop > lines || this.#bytes - dropped > bytes * 1.5)
    ) {
      dropped += this.#events[drop]?.length ?? 0;
      drop += 1;
    }
    this.#events.splice(0, drop);
    this.#first += drop;
    this.#grow(-dropped);
  }

  #grow(bytes: number): void {
    this.#bytes += bytes;
    this.#onSize(bytes);
  }

  /** A thousand writes to a thousand sockets take a while: others get their turn in between. */
  async #wakeAll(): Promise<void> {
    this.#wakeAgain = this.#waking;
    if (this.#waking) return;
    this.#waking = true;
    do {
      this.#wakeAgain = false;
      let woken = 0;
      for (const reader of [...this.readers]) {
        reader.wake();
        woken += 1;
        if (woken % WOKEN_A_TURN === 0) await nextTurn();
      }
    } while (this.#wakeAgain);
    this.#waking = false;
  }
}
