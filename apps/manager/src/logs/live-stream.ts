import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LineStore, StreamBounds } from './line-store.ts';
import type { StoredChunk } from './log-chunk.ts';
import { linesOf } from './log-lines.ts';
import type { LogStream, StreamStore } from './stream-store.ts';

/** Of one piece that a reader is given, in bytes. */
const MAX_PIECE_BYTES = 65_536;
const SLACK = 1.1;
const WOKEN_A_TURN = 50;
/** Of older lines, for readers that are behind. */
const MAX_PAGES = 3;

/** Somebody who reads a stream; woken when there is more, or when it has ended. */
export interface StreamReader {
  wake(): void;
}

/** Stored lines that are not in memory any more, while readers come by there. */
interface Page {
  readonly first: number;
  readonly events: readonly string[];
  readonly bytes: number;
  readonly pieces: Map<number, Piece>;
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
  readonly #streams: StreamStore;
  readonly #lines: LineStore;
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
  #pages: Page[] = [];
  readonly #loading = new Map<number, Promise<Page | null>>();

  constructor(
    id: string,
    first: number,
    parts: {
      streams: StreamStore;
      lines: LineStore;
      bounds: StreamBounds;
      onSize: (bytes: number) => void;
      /** Others have written in between: the stream has to catch up. */
      onGap: (stream: LiveStream) => void;
    },
  ) {
    this.id = id;
    this.#first = first;
    this.#streams = parts.streams;
    this.#lines = parts.lines;
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
    const piece = pieceOf(this.#events, this.#first, seq);
    this.#piece = { from: seq, piece };
    return piece;
  }

  /**
   * As `pieceFrom`, for lines before `first`, from the store: one read for all readers that come by there. `from` is above
   * `seq` when the lines in between are not kept; null when there are none before `first`. Rejects when they can't be read.
   */
  async pieceBehind(seq: number): Promise<{ from: number; piece: Piece } | null> {
    const covers = ({ first, events }: Page) => first <= seq && seq < first + events.length;
    let page = this.#pages.find(covers) ?? null;
    if (page === null) {
      const loading = this.#loading.get(seq) ?? this.#loadPage(seq);
      this.#loading.set(seq, loading);
      page = await loading.finally(() => this.#loading.delete(seq));
    }
    if (page === null) return null;
    const from = Math.max(seq, page.first);
    const piece = page.pieces.get(from) ?? pieceOf(page.events, page.first, from);
    page.pieces.set(from, piece);
    return { from, piece };
  }

  async #loadPage(seq: number): Promise<Page | null> {
    const chunks = await this.#lines.page(this.id, seq);
    const [begin] = chunks;
    if (begin === undefined) return null;
    const events = chunks.flatMap((chunk) => eventsOf(chunk));
    const bytes = events.reduce((sum, { length }) => sum + length, 0);
    const page: Page = { first: begin.first, events, bytes, pieces: new Map() };
    this.#pages.push(page);
    this.#grow(bytes);
    while (this.#pages.length > MAX_PAGES || (this.readers.size === 0 && this.#pages.length > 0)) {
      this.#grow(-(this.#pages.shift()?.bytes ?? 0));
    }
    return page;
  }

  /** Lets go of what it holds. */
  release(): void {
    this.#onSize(-this.#bytes);
    this.#bytes = 0;
    this.#events = [];
    this.#pages = [];
    this.#piece = null;
  }

  async #read(): Promise<void> {
    do {
      this.#again = false;
      // Asked first: a line that is written after this is announced, and one before it is read.
      const stream = await this.#streams.byId(this.id);
      if (stream === null) {
        this.#ended = true;
      } else if (stream.next > this.next) {
        const from = await this.#readFrom(stream);
        for await (const chunks of this.#lines.read(this.id, from)) for (const chunk of chunks) this.#add(chunk);
      }
      if (stream !== null && stream.state !== 'open' && this.next >= stream.next) this.#ended = true;
    } while (this.#again);
    void this.#wakeAll();
  }

  /** Far behind, as at its beginning: the newest lines come into memory, the others are read when somebody wants them. */
  async #readFrom(stream: LogStream): Promise<number> {
    const far = this.#events.length === 0 || stream.next - this.next > this.#bounds.lines;
    return far ? Math.max(this.next, await this.#lines.newest(stream, this.#bounds)) : this.next;
  }

  #add(chunk: StoredChunk): void {
    const { first, lines } = chunk;
    if (first + lines <= this.next) return;
    if (first > this.next) {
      this.release();
      this.#first = first;
    }
    let added = 0;
    for (const event of eventsOf(chunk).slice(this.next - first)) {
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

function eventsOf(chunk: StoredChunk): string[] {
  return linesOf(chunk).map((text, index) => lineEvent(chunk.first + index, text));
}

/** A line as an event, of its sequence number and its JSON. */
export function lineEvent(seq: number, text: string): string {
  return `id: ${seq}\ndata: ${text}\n\n`;
}

function pieceOf(events: readonly string[], first: number, seq: number): Piece {
  let length = 0;
  let index = seq - first;
  const from = index;
  for (; index < events.length && (length === 0 || length < MAX_PIECE_BYTES); index += 1) {
    length += events[index]?.length ?? 0;
  }
  return { bytes: Buffer.from(events.slice(from, index).join(''), 'utf8'), next: first + index };
}
