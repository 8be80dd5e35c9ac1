import { SallyportError } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Bus } from '../bus/bus.ts';
import type { Appended, LineStore, StreamBounds } from './line-store.ts';
import { LiveStream, type StreamReader } from './live-stream.ts';
import type { LogStream, StreamStore } from './stream-store.ts';

/** Of all streams that are being read, in this process. */
const MAX_BYTES = 512 * 1024 * 1024;
/** Other replicas are told of new lines this often at most; their readers see them so much later. */
const ANNOUNCE_EVERY_MS = 25;
/** Streams in one announcement: PostgreSQL takes 8,000 bytes. */
const MAX_ANNOUNCED = 100;
/** A replica that died between a write and its announcement has told nobody: so the streams that are read are looked at. */
const LOOK_EVERY_MS = 2_000;

export interface LiveStreamsParts {
  readonly streams: StreamStore;
  readonly lines: LineStore;
  readonly bounds: StreamBounds;
  readonly bus: Bus;
  readonly logger: Logger;
  /** False when this process is the only one: then nobody has to be told. */
  readonly replicated: boolean;
}

/** The streams that somebody reads here; hears of what this process and other replicas write. */
export class LiveStreams {
  readonly #parts: LiveStreamsParts;
  readonly #streams = new Map<string, LiveStream>();
  readonly #announce = new Map<string, number>();
  readonly #unsubscribe: (() => void)[];
  readonly #looking: NodeJS.Timeout | null;
  #announcing: NodeJS.Timeout | null = null;
  #bytes = 0;

  constructor(parts: LiveStreamsParts) {
    this.#parts = parts;
    this.#unsubscribe = [
      parts.bus.subscribe('logs-written', ({ streams }) => {
        for (const [id, next] of streams) {
          const stream = this.#streams.get(id);
          // Zero: it has ended. Otherwise what this process wrote itself is known already.
          if (stream !== undefined && (next === 0 || next > stream.next)) void this.#catchUp(stream);
        }
      }),
      parts.bus.subscribe('resync', () => {
        for (const stream of this.#streams.values()) void this.#catchUp(stream);
      }),
    ];
    this.#looking = parts.replicated ? setInterval(() => void this.#look(), LOOK_EVERY_MS) : null;
  }

  get size(): number {
    return this.#streams.size;
  }

  readersOf(id: string): number {
    return this.#streams.get(id)?.readers.size ?? 0;
  }

  /**
   * Adds a reader, which is woken from now on; when it resolves, the stream holds what the store has. Throws
   * SERVICE_UNAVAILABLE when too much is being read at once.
   */
  async join({ id, first }: Pick<LogStream, 'id' | 'first'>, reader: StreamReader): Promise<LiveStream> {
    const known = this.#streams.get(id);
    if (known === undefined && this.#bytes > MAX_BYTES) {
      throw new SallyportError('SERVICE_UNAVAILABLE', 'too many logs are being read at once; try again');
    }
    const stream =
      known ??
      new LiveStream(id, first, {
        ...this.#parts,
        onSize: (bytes) => {
          this.#bytes += bytes;
        },
        onGap: (behind) => void this.#catchUp(behind),
      });
    stream.readers.add(reader);
    if (known === undefined) {
      this.#streams.set(id, stream);
      stream.loaded = stream.catchUp();
    }
    try {
      await stream.loaded;
    } catch (error) {
      this.leave(stream, reader);
      throw error;
    }
    return stream;
  }

  leave(stream: LiveStream, reader: StreamReader): void {
    stream.readers.delete(reader);
    if (stream.readers.size > 0 || this.#streams.get(stream.id) !== stream) return;
    this.#streams.delete(stream.id);
    stream.release();
  }

  /** This process has written lines: its readers get them now, other replicas hear of it soon. */
  written({ streamId, first, chunks }: Appended): void {
    let next = first;
    const stream = this.#streams.get(streamId);
    for (const chunk of chunks) {
      stream?.written({ ...chunk, first: next });
      next += chunk.lines;
    }
    this.#tell(streamId, next);
  }

  /** The stream was closed or replaced. Its readers get what is left of it, and then its end. */
  ended(streamId: string): void {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) void this.#catchUp(stream);
    this.#tell(streamId, 0);
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    if (this.#looking !== null) clearInterval(this.#looking);
    if (this.#announcing !== null) clearTimeout(this.#announcing);
    await this.#sendAnnouncement();
  }

  #tell(streamId: string, next: number): void {
    if (!this.#parts.replicated) return;
    // The end of a stream is not taken back by lines that were written before it.
    if (this.#announce.get(streamId) !== 0) this.#announce.set(streamId, next);
    this.#announcing ??= setTimeout(() => void this.#sendAnnouncement(), ANNOUNCE_EVERY_MS);
  }

  async #sendAnnouncement(): Promise<void> {
    const { bus, logger } = this.#parts;
    while (this.#announce.size > 0) {
      const streams = [...this.#announce].slice(0, MAX_ANNOUNCED);
      for (const [id] of streams) this.#announce.delete(id);
      try {
        await bus.commit({ type: 'logs-written', streams }, async () => undefined);
      } catch (error) {
        logger.warn({ err: error }, 'other replicas were not told of new log lines; they look by themselves');
      }
    }
    this.#announcing = null;
  }

  async #look(): Promise<void> {
    const { streams, logger } = this.#parts;
    try {
      const stored = await streams.byIds([...this.#streams.keys()]);
      const found = new Map(stored.map((stream) => [stream.id, stream]));
      for (const [id, stream] of this.#streams) {
        const known = found.get(id);
        const behind = known === undefined || known.next > stream.next || (known.state !== 'open' && !stream.ended);
        if (behind) void this.#catchUp(stream);
      }
    } catch (error) {
      logger.warn({ err: error }, 'the logs that are being read were not looked at; trying again');
    }
  }

  async #catchUp(stream: LiveStream): Promise<void> {
    try {
      await stream.catchUp();
    } catch (error) {
      this.#parts.logger.warn({ err: error, streamId: stream.id }, 'new lines of a log were not read; trying again');
      setTimeout(() => {
        if (this.#streams.get(stream.id) === stream) void this.#catchUp(stream);
      }, LOOK_EVERY_MS).unref();
    }
  }
}
