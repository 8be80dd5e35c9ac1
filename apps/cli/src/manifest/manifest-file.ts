import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { readLocalFile } from '../cert/local-files.ts';
import { CliError, usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { recordOf, recordText } from './written-record.ts';

/** A manifest as it lies on the disk; a link is followed, so that writing replaces the file and not the link. */
export interface ManifestFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly text: string;
  /** Permission bits. */
  readonly mode: number;
}

const EVERYBODY = 0o777;
const OWNER = 0o700;

/** Reads a manifest. Throws a usage error when it cannot be read, or is not UTF-8: writing it back would damage it. */
export async function readManifestFile(name: string): Promise<ManifestFile> {
  const bytes = await readLocalFile(name);
  const path = await realpath(name);
  const { mode } = await stat(path);
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { path, bytes, text, mode: mode & EVERYBODY };
  } catch {
    // The decoder's own words do not say which file.
    throw usageError(`${name} is not UTF-8.`, 'Convert it to UTF-8, for example with iconv.');
  }
}

export const backupOf = (path: string): string => `${path}.sallyport-backup`;

export interface ReplaceOptions {
  /** Replace a backup that holds something else. */
  readonly force: boolean;
  /** A private key comes into the file: the rights of others on it end. */
  readonly confidential: boolean;
  /** Files that were made beside it, by name: a rollback takes them away too. */
  readonly made?: readonly { readonly name: string; readonly text: string }[];
}

/**
 * Puts the new text in the file's place in one step. On return the bytes from before are in the backup; when it throws,
 * the file is as it was. Answers with the backup's path.
 */
export async function replaceKeepingBackup(
  file: ManifestFile,
  text: string,
  { force, confidential, made = [] }: ReplaceOptions,
): Promise<string> {
  await refuseChanged(file);
  const backup = backupOf(file.path);
  const kept = await readIfThere(backup);
  if (kept !== undefined && !kept.equals(file.bytes) && !force) {
    throw new CliError(`${backup} exists and holds another version.`, {
      code: 'FILE_EXISTS',
      exit: EXIT.conflict,
      remedy: 'Go back to it with --rollback, move it away, or give --force to replace it.',
    });
  }
  // One that holds these bytes already comes from a run that was interrupted here.
  if (kept === undefined || !kept.equals(file.bytes)) await put(backup, file.bytes, file.mode);
  const bytes = Buffer.from(text);
  // Before the file itself: whoever is interrupted here has the old file, which its backup equals.
  const written = [
    { name: basename(file.path), bytes },
    ...made.map((each) => ({ ...each, bytes: Buffer.from(each.text) })),
  ];
  await put(recordOf(file.path), recordText(written), file.mode & OWNER);
  await put(file.path, bytes, confidential ? file.mode & OWNER : file.mode);
  return backup;
}

/** What somebody saved while the file was being read and judged would be lost, and the backup would not have it. */
async function refuseChanged({ path, bytes }: ManifestFile): Promise<void> {
  const now = await readIfThere(path);
  if (now?.equals(bytes)) return;
  throw new CliError(`${path} was ${now === undefined ? 'removed' : 'changed'} while the command ran.`, {
    code: 'FILE_CHANGED',
    exit: EXIT.conflict,
    remedy: 'Nothing was written. Run the command again.',
  });
}

export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unwritable(path, error);
  }
}

/** Written aside, flushed and renamed: a reader sees the old file or the new one, never a part. */
async function put(path: string, bytes: Buffer, mode: number): Promise<void> {
  const aside = `${path}.${process.pid}.new`;
  try {
    // 'wx': a link that somebody laid there is not written through. Nobody else reads it before its rights are set.
    const handle = await open(aside, 'wx', mode & OWNER);
    try {
      await handle.writeFile(bytes);
      await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(aside, { force: true });
    throw unwritable(path, error);
  }
}

export function unwritable(path: string, error: unknown): CliError {
  const reason = (error as NodeJS.ErrnoException).code ?? String(error);
  return usageError(`${path} cannot be written (${reason}).`, 'Check the folder and its permissions.');
}
