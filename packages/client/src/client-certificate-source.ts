import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertificateFileError, type ClientIdentity, parseClientIdentity } from './client-identity.ts';

export interface ClientCertificateFiles {
  readonly certificatePath: string;
  readonly keyPath: string;
  /** Safety net for file systems without notifications (network mounts). */
  readonly pollIntervalMs?: number;
  /** How long after a notification the files are read, and how long an unusable pair may take to become whole. */
  readonly settleMs?: number;
}

interface Events {
  /** A new pair that belongs together was found; `current` is already it. */
  change: [ClientIdentity];
  /** The files hold something unusable, and did so twice in a row; `current` stays. Once for each content. */
  rejected: [CertificateFileError];
}

const DEFAULT_POLL_INTERVAL_MS = 60_000;
const DEFAULT_SETTLE_MS = 250;

interface Reading {
  /** Digest of both texts, or of the failure to read them. */
  readonly digest: string;
  readonly identity: ClientIdentity | null;
  readonly error: CertificateFileError | null;
}

/**
 * A client certificate and its key in files that are replaced while the program runs. Always holds a pair that belongs
 * together: half-written files, a certificate without its key and a missing file never take its place. The directories
 * are watched rather than the files, because Kubernetes swaps a symbolic link (`..data`) beside them.
 */
export class ClientCertificateSource extends EventEmitter<Events> {
  readonly #files: ClientCertificateFiles;
  readonly #watchers: FSWatcher[] = [];
  readonly #poll: NodeJS.Timeout;
  #settle: NodeJS.Timeout | null = null;
  #current: ClientIdentity;
  #digest: string;
  #suspect: string | null = null;
  #reported: string | null = null;
  #checking = false;
  #closed = false;

  private constructor(files: ClientCertificateFiles, identity: ClientIdentity, digest: string) {
    super();
    this.#files = files;
    this.#current = identity;
    this.#digest = digest;
    for (const directory of new Set([dirname(files.certificatePath), dirname(files.keyPath)])) this.#watch(directory);
    this.#poll = setInterval(() => this.#checkSoon(0), files.pollIntervalMs ?? DEFAULT_POLL_INTERVAL_MS);
    this.#poll.unref();
  }

  /** Throws CertificateFileError when the files are not a pair now: there is no last good one to keep yet. */
  static async open(files: ClientCertificateFiles): Promise<ClientCertificateSource> {
    const reading = await read(files);
    if (reading.identity === null) throw reading.error;
    return new ClientCertificateSource(files, reading.identity, reading.digest);
  }

  /** The last good pair. */
  get current(): ClientIdentity {
    return this.#current;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#poll);
    if (this.#settle !== null) clearTimeout(this.#settle);
    for (const watcher of this.#watchers) watcher.close();
  }

  #watch(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#checkSoon());
      // The directory went away, or notifications ran out: the poll finds what is missed.
      watcher.on('error', () => watcher.close());
      this.#watchers.push(watcher);
    } catch {
      // No notifications on this file system, or none left (inotify's limit): the poll alone serves.
      this.#checkSoon();
    }
  }

  #checkSoon(afterMs = this.#files.settleMs ?? DEFAULT_SETTLE_MS): void {
    if (this.#settle !== null || this.#closed) return;
    this.#settle = setTimeout(() => {
      this.#settle = null;
      void this.#check();
    }, afterMs);
    this.#settle.unref();
  }

  async #check(): Promise<void> {
    if (this.#checking) {
      this.#checkSoon();
      return;
    }
    this.#checking = true;
    const reading = await read(this.#files);
    this.#checking = false;
    if (this.#closed) return;
    if (reading.identity !== null) this.#accept(reading.identity, reading.digest);
    else if (reading.error !== null) this.#doubt(reading.error, reading.digest);
  }

  #accept(identity: ClientIdentity, digest: string): void {
    this.#suspect = null;
    this.#reported = null;
    if (digest === this.#digest) return;
    this.#digest = digest;
    this.#current = identity;
    this.emit('change', identity);
  }

  /** Two files are not replaced in one step: the same unusable content must be seen twice before it is reported. */
  #doubt(error: CertificateFileError, digest: string): void {
    if (this.#reported === digest) return;
    if (this.#suspect !== digest) {
      this.#suspect = digest;
      this.#checkSoon();
      return;
    }
    this.#reported = digest;
    this.emit('rejected', error);
  }
}

/** Never rejects: a failure is part of the reading. */
async function read(files: ClientCertificateFiles): Promise<Reading> {
  try {
    // One after the other: when neither can be read, the same one is told each time.
    const certificate = await readText(files.certificatePath);
    const key = await readText(files.keyPath);
    const digest = createHash('sha256').update(certificate).update('\0').update(key).digest('hex');
    try {
      const from = { certificate: files.certificatePath, key: files.keyPath };
      return { digest, identity: parseClientIdentity(certificate, key, from), error: null };
    } catch (error) {
      return { digest, identity: null, error: asFileError(error) };
    }
  } catch (error) {
    const fileError = asFileError(error);
    return { digest: fileError.message, identity: null, error: fileError };
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    const remedy = 'Check the path, and that the user of this process may read it.';
    throw new CertificateFileError(`${path} cannot be read (${code}).`, remedy, error);
  }
}

function asFileError(error: unknown): CertificateFileError {
  if (error instanceof CertificateFileError) return error;
  return new CertificateFileError('The client certificate cannot be used.', 'Look at the cause.', error);
}
