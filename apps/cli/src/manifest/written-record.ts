import { createHash } from 'node:crypto';

/**
 * What `--write` wrote, beside the backup: one line a file, as `sha256sum` writes them, the manifest first. A rollback
 * asks it whether anybody has edited the manifest since.
 */
export const recordOf = (path: string): string => `${path}.sallyport-written`;

export interface RecordedFile {
  readonly name: string;
  readonly sha256: string;
}

export function recordText(files: readonly { readonly name: string; readonly bytes: Buffer }[]): Buffer {
  return Buffer.from(files.map(({ name, bytes }) => `${sha256(bytes)}  ${name}\n`).join(''));
}

/** The files of a record; lines that are none of ours say nothing. */
export function readRecord(record: Buffer): RecordedFile[] {
  return record
    .toString('utf8')
    .split('\n')
    .flatMap((line) => {
      const [, digest, name] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
      return digest === undefined || name === undefined ? [] : [{ sha256: digest, name }];
    });
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
