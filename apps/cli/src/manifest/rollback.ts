import { lstat, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { backupOf, readIfThere, unwritable } from './manifest-file.ts';
import { type RecordedFile, readRecord, recordOf, sha256 } from './written-record.ts';

export interface RolledBack {
  readonly path: string;
  /** Files that the migration made beside it, and that are gone now. */
  readonly removed: readonly string[];
  /** Those that somebody has changed since: they stay. */
  readonly left: readonly string[];
}

/**
 * Puts the backup in the file's place, byte for byte and with its rights; there is no backup afterwards. What somebody
 * has edited since the migration is in no backup: without `force` such a file is left as it is, and the command refused.
 */
export async function rollBack(name: string, { force }: { readonly force: boolean }): Promise<RolledBack> {
  const path = await realpath(name).catch(() => resolve(name));
  const backup = backupOf(path);
  await refuseNoBackup(backup);
  const record = await readIfThere(recordOf(path));
  const recorded = record === undefined ? [] : readRecord(record);
  if (!force) await refuseEdited(path, backup, recorded);
  try {
    await rename(backup, path);
    const companions = await removeMade(path, recorded);
    await rm(recordOf(path), { force: true });
    return { path, ...companions };
  } catch (error) {
    throw unwritable(path, error);
  }
}

async function refuseNoBackup(backup: string): Promise<void> {
  const found = await lstat(backup).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw unwritable(backup, error);
  });
  if (found === undefined) {
    throw new CliError(`There is no ${backup}.`, {
      code: 'NO_BACKUP',
      exit: EXIT.notFound,
      remedy: 'Only what --write changed can be rolled back, and only once.',
    });
  }
  // A link that somebody laid in its place would put another file's content here.
  if (found.isFile()) return;
  throw new CliError(`${backup} is not a file of its own.`, {
    code: 'NO_BACKUP',
    exit: EXIT.conflict,
    remedy: 'Look at what it is, and put the manifest back by hand.',
  });
}

/** A file that is gone holds no edits, and one that equals its backup was never written. */
async function refuseEdited(path: string, backup: string, recorded: readonly RecordedFile[]): Promise<void> {
  const [now, before] = [await readIfThere(path), await readIfThere(backup)];
  if (now === undefined || (before !== undefined && now.equals(before))) return;
  const written = recorded.find(({ name }) => name === basename(path));
  if (written?.sha256 === sha256(now)) return;
  const why =
    written === undefined
      ? `${recordOf(path)} is missing, so nobody knows whether ${path} was edited since --write.`
      : `${path} was edited since --write, and a rollback would lose that.`;
  throw new CliError(why, {
    code: 'FILE_CHANGED',
    exit: EXIT.conflict,
    remedy: `Nothing was written. Compare it with ${backup}; --rollback --force puts that back all the same.`,
  });
}

async function removeMade(path: string, recorded: readonly RecordedFile[]) {
  const removed: string[] = [];
  const left: string[] = [];
  for (const { name, sha256: digest } of recorded) {
    // The record is a text that others may have written to: it must not choose a file of another folder.
    if (name === basename(path) || basename(name) !== name) continue;
    const made = join(dirname(path), name);
    const now = await readIfThere(made);
    if (now === undefined) continue;
    if (sha256(now) === digest) await rm(made);
    (sha256(now) === digest ? removed : left).push(made);
  }
  return { removed, left };
}
