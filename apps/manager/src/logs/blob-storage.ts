import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { SallyportError } from '@sallyport/protocol';
import type { Disk } from 'flydrive';

/** S3 or a service that speaks it. */
export interface S3Settings {
  readonly bucket: string;
  readonly region: string;
  /** Null: Amazon's own. */
  readonly endpoint: string | null;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface BlobStorageOptions {
  /** Where this process keeps what is on its way, and without S3 the objects themselves. */
  readonly folder: string;
  readonly s3: S3Settings | null;
  /** Null: from where the AWS SDK finds them (instance role, web identity, profile). */
  readonly credentials: S3Credentials | null;
}

/** What was stored, in bytes: before and after compression. */
export interface Stored {
  readonly size: number;
  readonly stored: number;
}

/**
 * Compressed objects by name, in a folder or in S3-compatible storage. An object is compressed into a spool file first:
 * its size has to be known before S3 takes it, and a slow client holds up nothing.
 */
export class BlobStorage {
  readonly #disk: () => Promise<Disk>;
  readonly #spool: string;
  readonly #root: string | null;

  private constructor(disk: () => Promise<Disk>, spool: string, root: string | null) {
    this.#disk = disk;
    this.#spool = spool;
    this.#root = root;
  }

  /** Makes the folders that it needs. */
  static async open({ folder, s3, credentials }: BlobStorageOptions): Promise<BlobStorage> {
    const spool = join(folder, 'log-spool');
    mkdirSync(spool, { recursive: true, mode: 0o700 });
    if (s3 !== null) {
      const disk = await bucketDisk(s3, credentials);
      return new BlobStorage(async () => disk, spool, null);
    }
    const root = join(folder, 'log-blobs');
    mkdirSync(root, { recursive: true, mode: 0o700 });
    return new BlobStorage(() => folderDisk(root), spool, root);
  }

  /**
   * When it resolves, the object is stored, and in a folder also on the disk. Throws PAYLOAD_TOO_LARGE when there are more
   * than `limit` bytes before compression; then, and when it rejects otherwise, an object of that name may be there in part.
   */
  async put(
    name: string,
    content: Readable | AsyncIterable<Buffer>,
    limit = Number.POSITIVE_INFINITY,
  ): Promise<Stored> {
    const { writing, file } = await namelessFile(this.#spool);
    let size = 0;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length;
        if (size > limit) {
          done(new SallyportError('PAYLOAD_TOO_LARGE', `The blob is larger than ${limit} bytes.`));
          return;
        }
        done(null, chunk);
      },
    });
    try {
      await pipeline(content, count, createGzip(), writing);
      const { size: stored } = await file.stat();
      await (await this.#disk()).putStream(name, file.createReadStream(), {
        contentType: 'application/gzip',
        contentLength: stored,
      });
      if (this.#root !== null) await flushToDisk(join(this.#root, name));
      return { size, stored };
    } finally {
      await file.close();
    }
  }

  /** The object as it is stored: one gzip member. Rejects when it is not there. */
  async getCompressed(name: string): Promise<Readable> {
    return (await this.#disk()).getStream(name);
  }

  /** The object's content. Rejects when it is not there. */
  async get(name: string): Promise<Readable> {
    const compressed = await this.getCompressed(name);
    const content = createGunzip();
    compressed.on('error', (error) => content.destroy(error));
    content.on('close', () => compressed.destroy());
    return compressed.pipe(content);
  }

  /** Resolves also when there is no such object. */
  async delete(name: string): Promise<void> {
    await (await this.#disk()).delete(name);
  }

  /** Rejects, saying why, when nothing can be written. */
  async check(): Promise<void> {
    const name = `check/${process.pid}`;
    const disk = await this.#disk();
    await disk.put(name, 'ok');
    await disk.delete(name);
  }
}

async function flushToDisk(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Loaded here: a start has no blob to store. Made anew each time: loading may fail once, and go well later. */
async function folderDisk(location: string): Promise<Disk> {
  const [{ Disk }, { FSDriver }] = await Promise.all([import('flydrive'), import('flydrive/drivers/fs')]);
  return new Disk(new FSDriver({ location, visibility: 'private' }));
}

/** Loaded here: the SDK behind it is larger than the rest of the program, which mostly runs without it. */
async function bucketDisk({ bucket, region, endpoint }: S3Settings, credentials: S3Credentials | null): Promise<Disk> {
  const [{ Disk }, { S3Driver }] = await Promise.all([import('flydrive'), import('flydrive/drivers/s3')]);
  const driver = new S3Driver({
    bucket,
    region,
    visibility: 'private',
    // Most services other than Amazon's know no ACLs, and a bucket's own policy is what counts.
    supportsACL: false,
    ...(endpoint !== null && { endpoint, forcePathStyle: true }),
    ...(credentials !== null && { credentials: { ...credentials } }),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  return new Disk(driver);
}

/** A file that is gone with its handles, however this process ends: nobody's log lines are left behind. */
async function namelessFile(folder: string): Promise<{ writing: WriteStream; file: FileHandle }> {
  const path = join(folder, randomUUID());
  const writing = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  await once(writing, 'open');
  try {
    return { writing, file: await open(path, 'r') };
  } finally {
    await rm(path);
  }
}
