import type { Readable } from 'node:stream';

/** One file of an archive. */
export interface ZipEntry {
  /** With `/` between folders, and nothing that could lead out of the folder it is unpacked in. */
  readonly name: string;
  /** Of the content, in milliseconds. */
  readonly modifiedAt: number;
  /** The content as one gzip member without extra fields, as Node's zlib makes it. */
  readonly open: () => Promise<Readable>;
}

const GZIP_HEADER_BYTES = 10;
const GZIP_TRAILER_BYTES = 8;
const DEFLATE = 8;
/** General purpose flags: sizes follow the content (bit 3), names are UTF-8 (bit 11). */
const FLAGS = 0x0808;
const VERSION = 20;

interface Written {
  readonly name: Buffer;
  readonly time: number;
  readonly date: number;
  readonly offset: number;
  readonly crc: number;
  readonly compressed: number;
  readonly size: number;
}

/**
 * A zip archive (PKWARE APPNOTE 6.3.3, without zip64: under 65,536 entries and 4 GiB). The entries' deflate data is taken
 * out of their gzip members as it is: nothing is compressed again, and only one piece is in memory at a time.
 */
export async function* zip(entries: Iterable<ZipEntry>): AsyncGenerator<Buffer> {
  const written: Written[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name, 'utf8');
    const { time, date } = dosTime(entry.modifiedAt);
    const header = localHeader(name, time, date);
    yield header;
    let compressed = 0;
    const trailer = yield* deflateData(await entry.open(), (bytes) => {
      compressed += bytes;
    });
    const crc = trailer.readUInt32LE(0);
    const size = trailer.readUInt32LE(4);
    const descriptor = Buffer.alloc(16);
    descriptor.writeUInt32LE(0x08074b50, 0);
    descriptor.writeUInt32LE(crc, 4);
    descriptor.writeUInt32LE(compressed, 8);
    descriptor.writeUInt32LE(size, 12);
    yield descriptor;
    written.push({ name, time, date, offset, crc, compressed, size });
    offset += header.length + compressed + descriptor.length;
  }
  let directory = 0;
  for (const entry of written) {
    const record = directoryRecord(entry);
    directory += record.length;
    yield record;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(written.length, 8);
  end.writeUInt16LE(written.length, 10);
  end.writeUInt32LE(directory, 12);
  end.writeUInt32LE(offset, 16);
  yield end;
}

/**
 * A key as a name in an archive. Unpacked as it is, a key such as `../../.ssh/authorized_keys` would be written there: what
 * is not a plain character is escaped, and so are segments of dots and empty ones.
 */
export function entryName(key: string): string {
  return key
    .split('/')
    .map((segment) => (/^\.*$/.test(segment) ? `%${segment.replaceAll('.', '%2E')}` : escapeSegment(segment)))
    .join('/');
}

function escapeSegment(segment: string): string {
  return encodeURIComponent(segment.toWellFormed()).replace(
    /[*']/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Yields what is between header and trailer; returns the trailer. Throws when it is no gzip member of ours. */
async function* deflateData(
  gzip: Readable,
  count: (bytes: number) => void,
): AsyncGenerator<Buffer, Buffer<ArrayBufferLike>> {
  let held: Buffer = Buffer.alloc(0);
  let headed = false;
  for await (const chunk of gzip as AsyncIterable<Buffer>) {
    held = Buffer.concat([held, chunk]);
    if (!headed) {
      if (held.length < GZIP_HEADER_BYTES) continue;
      if (held.readUInt16BE(0) !== 0x1f8b || held[2] !== DEFLATE || held[3] !== 0) {
        throw new Error('a stored log is not a plain gzip member');
      }
      held = held.subarray(GZIP_HEADER_BYTES);
      headed = true;
    }
    const data = held.subarray(0, Math.max(0, held.length - GZIP_TRAILER_BYTES));
    if (data.length === 0) continue;
    held = held.subarray(data.length);
    count(data.length);
    yield data;
  }
  if (!headed || held.length < GZIP_TRAILER_BYTES) throw new Error('a stored log is cut short');
  return held;
}

function localHeader(name: Buffer, time: number, date: number): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(VERSION, 4);
  header.writeUInt16LE(FLAGS, 6);
  header.writeUInt16LE(DEFLATE, 8);
  header.writeUInt16LE(time, 10);
  header.writeUInt16LE(date, 12);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, name]);
}

function directoryRecord({ name, time, date, offset, crc, compressed, size }: Written): Buffer {
  const record = Buffer.alloc(46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(VERSION, 4);
  record.writeUInt16LE(VERSION, 6);
  record.writeUInt16LE(FLAGS, 8);
  record.writeUInt16LE(DEFLATE, 10);
  record.writeUInt16LE(time, 12);
  record.writeUInt16LE(date, 14);
  record.writeUInt32LE(crc, 16);
  record.writeUInt32LE(compressed, 20);
  record.writeUInt32LE(size, 24);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt32LE(offset, 42);
  return Buffer.concat([record, name]);
}

/** In UTC, as the format has no zone. */
function dosTime(at: number): { time: number; date: number } {
  const moment = new Date(at);
  return {
    time: (moment.getUTCHours() << 11) | (moment.getUTCMinutes() << 5) | (moment.getUTCSeconds() >> 1),
    date: ((moment.getUTCFullYear() - 1980) << 9) | ((moment.getUTCMonth() + 1) << 5) | moment.getUTCDate(),
  };
}
