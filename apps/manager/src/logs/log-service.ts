import type { Readable } from 'node:stream';
import {
  LOG_STREAM_TTL_MS,
  type LogStreamInfo,
  logErrors,
  MAX_LOG_BLOB_BYTES,
  MAX_LOG_PREFIX_KEYS,
  SallyportError,
} from '@sallyport/protocol';
import type { Clock } from '../clock.ts';
import type { BlobStorage } from './blob-storage.ts';
import type { Blob, BlobStore } from './blob-store.ts';
import type { LineWriter } from './line-writer.ts';
import type { LiveStreams } from './live-streams.ts';
import type { LogArchiver } from './log-archiver.ts';
import type { LogCaller } from './log-authentication.ts';
import { type LogKey, logKeyOf } from './log-key.ts';
import { readLines } from './log-lines.ts';
import { covers } from './log-seals.ts';
import type { EndedStream, LogStream, StreamStore } from './stream-store.ts';

/** Streams that `info` tells of. */
const MAX_INFO = 1_000;

export interface LogServiceParts {
  readonly streams: StreamStore;
  readonly writer: LineWriter;
  readonly live: LiveStreams;
  readonly archiver: LogArchiver;
  readonly blobs: BlobStore;
  readonly storage: BlobStorage;
  readonly clock: Clock;
}

/** Streams and blobs of an account's logs. Who may do what is decided before it is asked. */
export class LogService {
  readonly #parts: LogServiceParts;

  constructor(parts: LogServiceParts) {
    this.#parts = parts;
  }

  /** `continues`: a log of that key goes on, and is not replaced. */
  async open({ owner }: LogCaller, key: LogKey, continues: boolean): Promise<void> {
    const { streams, live, blobs } = this.#parts;
    const blob = (await blobs.find(owner, key))?.span ?? null;
    const replaced = await streams.open(owner, key, this.#now(), { continues, blob });
    if (replaced !== null) live.ended(replaced);
  }

  /**
   * True when the lines are committed; false when the stream is not open, and they were dropped. Of a `writer` that numbers
   * its lines, none is stored twice.
   */
  async write({ owner }: LogCaller, key: LogKey, body: Buffer, writer: string | null): Promise<boolean> {
    return this.#parts.writer.write(owner, key, await readLines(body, writer));
  }

  /**
   * Ends a stream, and the lines that were acknowledged become a blob: before the answer with `snapshot`, which fails when that
   * does and leaves the stream open; soon after it otherwise, unless the writer has uploaded one itself.
   */
  async close({ owner }: LogCaller, key: LogKey, snapshot: boolean): Promise<void> {
    const stream = await this.#parts.streams.find(owner, key);
    if (stream === null || !(await this.#close(stream, snapshot))) {
      throw new SallyportError('LOG_STREAM_NOT_FOUND', logErrors.streamNotFound);
    }
  }

  /** As `close` for every open stream whose key starts with the prefix and is covered; none is fine. */
  async closeBelow({ owner, under }: LogCaller, prefix: LogKey, snapshot: boolean): Promise<void> {
    const streams = await this.#parts.streams.below(owner, prefix, 'open', MAX_LOG_PREFIX_KEYS);
    for (const stream of streams) if (covers({ under }, stream.key.text)) await this.#close(stream, snapshot);
  }

  /** False when it was not open any more. */
  async #close(stream: LogStream, snapshot: boolean): Promise<boolean> {
    const { streams, live, archiver } = this.#parts;
    if (!(await streams.close(stream.id, this.#now()))) return false;
    if (snapshot) {
      try {
        await archiver.archive(stream, { snapshot: true });
      } catch (error) {
        await streams.reopen(stream.id);
        throw error;
      }
    } else void archiver.archiveSoon(stream);
    live.ended(stream.id);
    return true;
  }

  async info({ owner, under }: LogCaller): Promise<LogStreamInfo> {
    const { streams, live } = this.#parts;
    const now = this.#now();
    const open = await streams.below(owner, logKeyOf(under), 'open', MAX_INFO);
    return {
      streams: Object.fromEntries(
        open
          .filter(({ key }) => covers({ under }, key.text))
          .map(({ id, key, first, next, writtenAt }) => [
            key.text,
            { size: next - first, subscribers: live.readersOf(id), ttl: duration(writtenAt + LOG_STREAM_TTL_MS - now) },
          ]),
      ),
    };
  }

  /** Stores a blob, as large as one may be; an empty one never replaces one that is not. */
  async putBlob({ owner }: LogCaller, key: LogKey, content: Readable): Promise<void> {
    const { blobs, storage } = this.#parts;
    const name = await blobs.begin(owner, key, this.#now());
    try {
      const { size, stored } = await storage.put(name, content, MAX_LOG_BLOB_BYTES);
      await blobs.finish(name, size, stored);
    } catch (error) {
      await blobs.abandon(name);
      throw error;
    }
  }

  /** The blob's content; of a stream that has ended and is not stored yet, its lines. Throws ENTITY_NOT_FOUND. */
  async getBlob(caller: LogCaller, key: LogKey): Promise<Readable | AsyncIterable<Buffer>> {
    const { streams, blobs, storage, archiver } = this.#parts;
    const ended = await streams.find(caller.owner, key, true);
    if (ended?.state === 'closing') return archiver.read(ended);
    const blob = await blobs.find(caller.owner, key);
    if (blob === null) throw notFound(key);
    return storage.get(blob.name);
  }

  async blobExists({ owner }: LogCaller, key: LogKey): Promise<boolean> {
    const { streams, blobs } = this.#parts;
    return (await blobs.find(owner, key)) !== null || (await streams.find(owner, key, true))?.state === 'closing';
  }

  /** Deletes what the key has of logs that have ended, in a blob or on the way there. Throws ENTITY_NOT_FOUND. */
  async deleteBlob({ owner }: LogCaller, key: LogKey): Promise<void> {
    const { streams, blobs } = this.#parts;
    const ended = this.#forgotten(await streams.deleteEnded(owner, key));
    if (!(await blobs.delete(owner, key)) && !ended) throw notFound(key);
  }

  /** As `deleteBlob` for every key that starts with the prefix; none is fine. */
  async deleteBlobsBelow({ owner }: LogCaller, prefix: LogKey): Promise<void> {
    const { streams, blobs } = this.#parts;
    this.#forgotten(await streams.deleteEndedBelow(owner, prefix));
    await blobs.deleteBelow(owner, prefix);
  }

  /** Tells who reads them. True when one of them was not in a blob. */
  #forgotten(ended: readonly EndedStream[]): boolean {
    for (const { id } of ended) this.#parts.live.ended(id);
    return ended.some(({ state }) => state === 'closing');
  }

  /** The blobs whose key starts with the prefix and is covered; logs that have ended are made blobs first. */
  async blobsBelow({ owner, under }: LogCaller, prefix: LogKey, limit: number): Promise<Blob[]> {
    const { streams, archiver, blobs } = this.#parts;
    for (const stream of await streams.below(owner, prefix, 'closing', limit)) {
      if (covers({ under }, stream.key.text)) await archiver.archive(stream, { snapshot: false });
    }
    const found = await blobs.below(owner, prefix, limit);
    return found.filter(({ key }) => covers({ under }, key.text));
  }

  compressed({ name }: Blob): Promise<Readable> {
    return this.#parts.storage.getCompressed(name);
  }

  /** Rejects when lines or blobs cannot be written. */
  async checkReady(): Promise<void> {
    await this.#parts.streams.check();
    await this.#parts.storage.check();
  }

  #now(): number {
    return this.#parts.clock.now().getTime();
  }
}

function notFound(key: LogKey): SallyportError {
  return new SallyportError('ENTITY_NOT_FOUND', `no blob with the key '${key.text.slice(0, 200)}'`);
}

/** As Go prints durations: `4h59m12s`. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m${seconds % 60}s`;
}
