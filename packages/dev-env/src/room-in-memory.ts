import { accessSync, constants, statfsSync, statSync } from 'node:fs';

/** Where Linux keeps files in memory. */
const SHARED_MEMORY = '/dev/shm';
/** The databases of a test run take a tenth of it. */
const ENOUGH_BYTES = 2 * 1024 ** 3;

/**
 * A folder in memory where there is room, and everybody may write: for root the database runs under another user. Null on
 * other systems, and where a container has it small or read-only. A database is some 300 files, made there in half the time.
 */
export function roomInMemory(folder = SHARED_MEMORY, enough = ENOUGH_BYTES): string | null {
  try {
    accessSync(folder, constants.W_OK);
    const isForAll = (statSync(folder).mode & 0o777) === 0o777;
    const { bavail, bsize } = statfsSync(folder);
    return isForAll && bavail * bsize >= enough ? folder : null;
  } catch {
    return null; // nothing there, or nothing to be written there
  }
}
