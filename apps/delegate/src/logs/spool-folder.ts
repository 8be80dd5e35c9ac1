import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type SpoolBudget, SpoolFile, type SpoolHeader, UNFINISHED } from './spool-file.ts';

const NAME = /^(\d+)-[0-9a-f-]{36}\.spool(\.new)?$/;

/** The folder where lines wait for a log service that is away. */
export class SpoolFolder {
  readonly #directory: string;
  readonly budget: SpoolBudget;
  readonly #own = new Set<string>();

  private constructor(directory: string, limitBytes: number) {
    this.#directory = directory;
    this.budget = { limit: limitBytes, used: 0 };
  }

  /** Makes the folder if there is none. Throws when it cannot be used safely. */
  static async open(directory: string, limitBytes: number): Promise<SpoolFolder> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const found = await lstat(directory);
    // The default lies in a folder where everybody may write: whoever made it first could read the logs and their tokens.
    const own = process.getuid === undefined || found.uid === process.getuid();
    if (!found.isDirectory() || !own || (found.mode & 0o022) !== 0) {
      throw new Error(
        `${directory} is a link, belongs to another user, or can be written by others. Remove it, or name another folder in DELEGATE_LOG_SPOOL_DIRECTORY.`,
      );
    }
    return new SpoolFolder(directory, limitBytes);
  }

  async create(header: SpoolHeader): Promise<SpoolFile> {
    const name = `${process.pid}-${randomUUID()}.spool`;
    this.#own.add(name);
    return await SpoolFile.create(join(this.#directory, name), header, this.budget);
  }

  /** What processes that have ended left of this account, with the names of files that cannot be read. */
  async left(accountId: string): Promise<{ files: SpoolFile[]; unreadable: string[] }> {
    const files: SpoolFile[] = [];
    const unreadable: string[] = [];
    for (const name of (await readdir(this.#directory)).sort()) {
      const pid = NAME.exec(name)?.[1];
      if (pid === undefined || this.#own.has(name.replace(UNFINISHED, '')) || isAlive(Number(pid))) continue;
      const path = join(this.#directory, name);
      if (name.endsWith(UNFINISHED)) {
        // The file that it was to become is still there.
        await unlink(path).catch(() => unreadable.push(path));
        continue;
      }
      const file = await SpoolFile.load(path, this.budget).catch(() => null);
      if (file === null) unreadable.push(path);
      else if (file.header.accountId === accountId) files.push(file);
      else await file.close();
    }
    return { files, unreadable };
  }
}

/** Another delegate on this machine may use the same folder. In a container, every process before this one had its number. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
