import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, type FileHandle, link, lstat, open, rename, rm, stat } from 'node:fs/promises';
import { holdsFileContent } from '@sallyport/client/path-value';
import { CliError, usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';

/** Certificates, keys and Secrets are small: a larger file is a mistake. */
const LARGEST_FILE_BYTES = 1_048_576;

export interface NewFile {
  readonly path: string;
  readonly text: string;
  /** Keys are 0600, what may be shown 0644. */
  readonly secret: boolean;
}

/** Where a shell puts what it pipes to us, `<(command)` included. */
const GIVEN_BY_SHELL = /^\/(?:dev\/(?:stdin|fd\/\d+)|proc\/(?:self|\d+)\/fd\/\d+)$/;

/** Reads a small file, or what a pipe of the shell brings. Throws a usage error that names it. */
export async function readLocalFile(path: string): Promise<Buffer> {
  if (holdsFileContent(path)) {
    throw usageError('A path was expected, and the content of a file was given.', 'Give the path of the file instead.');
  }
  try {
    // Opening a named pipe waits for somebody to write into it, for ever.
    if (!GIVEN_BY_SHELL.test(path) && (await stat(path)).isFIFO()) {
      throw usageError(`${path} is a named pipe, not a file.`, 'Name a file, or pipe the text to /dev/stdin.');
    }
    const handle = await open(path, 'r');
    try {
      return await readUpToLimit(handle, path);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof CliError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw usageError(`${path} cannot be read (${code}).`, 'Check the path, and that this user may read it.');
  }
}

/** A device or a pipe has no size to ask for, and may have no end. */
async function readUpToLimit(handle: FileHandle, path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(65_536), position: null });
    if (bytesRead === 0) return Buffer.concat(chunks);
    size += bytesRead;
    if (size > LARGEST_FILE_BYTES) {
      throw usageError(`${path} is larger than ${LARGEST_FILE_BYTES} bytes.`, 'Name a certificate or key file.');
    }
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

export const readLocalText = async (path: string): Promise<string> => (await readLocalFile(path)).toString('utf8');

/** Throws when one of them exists: asked before anything is made, so that a long key generation is not for nothing. */
export async function refuseExisting(paths: readonly string[], force: boolean): Promise<void> {
  for (const path of paths) {
    // lstat: a link that leads nowhere is there, too, and would take the file to wherever it points.
    const found = await lstat(path).catch(() => null);
    if (found?.isDirectory()) throw usageError(`${path} is a folder.`, 'Choose another file.');
    if (found !== null && !force) throw existing(path);
  }
}

/**
 * Throws when an output is the same file as an input, by whatever name: symbolic and hard links are followed. `--force`
 * is about files of an earlier run; a CA's key that is overwritten by the certificate it signed is gone for ever.
 */
export async function refuseReplacingInputs(outputs: readonly string[], inputs: readonly string[]): Promise<void> {
  const read = await Promise.all(inputs.map(async (path) => ({ path, id: await identityOf(path) })));
  for (const path of outputs) {
    const id = await identityOf(path);
    const same = id === null ? undefined : read.find((each) => each.id === id);
    if (same === undefined) continue;
    const what = same.path === path ? `${path} is read` : `${path} is the same file as ${same.path}, which is read`;
    throw usageError(`${what} by this command, and is not overwritten by it.`, 'Choose another file with --out.');
  }
}

async function identityOf(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(() => null);
  return found === null ? null : `${found.dev}:${found.ino}`;
}

/**
 * Writes all of them or none. Each is written aside and flushed, and only when all of them are, they are put in their
 * places: a reader sees the old file or the new one, never a part. Without `force` nothing is ever overwritten, whatever
 * appears in the meantime; with it a link is replaced, not followed.
 */
export async function writeLocalFiles(files: readonly NewFile[], force: boolean): Promise<void> {
  await refuseExisting(
    files.map(({ path }) => path),
    force,
  );
  const asides: string[] = [];
  try {
    for (const file of files) asides.push(await writeAside(file));
    const steps = files.map(({ path }, index) => ({ path, aside: asides[index] ?? '' }));
    if (force) for (const { path, aside } of steps) await rename(aside, path).catch(refusal(path));
    else await placeAll(steps);
  } finally {
    for (const aside of asides) await rm(aside, { force: true });
  }
}

async function writeAside({ path, text, secret }: NewFile): Promise<string> {
  const aside = `${path}.${randomUUID()}.new`;
  const handle = await open(aside, 'wx', secret ? 0o600 : 0o644).catch(refusal(path));
  try {
    // A umask of 0400 would keep its owner from the key.
    if (secret) await handle.chmod(0o600);
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await rm(aside, { force: true });
    throw unwritable(path, error as NodeJS.ErrnoException);
  } finally {
    await handle.close();
  }
  return aside;
}

/** What appeared since refuseExisting looked, a link to somewhere else included, is not written over: then none of them stays. */
async function placeAll(steps: readonly { readonly path: string; readonly aside: string }[]): Promise<void> {
  const placed: string[] = [];
  try {
    for (const { path, aside } of steps) {
      await place(aside, path).catch(refusal(path));
      placed.push(path);
    }
  } catch (error) {
    for (const path of placed) await rm(path, { force: true });
    throw error;
  }
}

/** link(2) fails where something is there, and brings the whole file at once. */
async function place(aside: string, path: string): Promise<void> {
  try {
    await link(aside, path);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // FAT and some network file systems have no hard links: then the copy, which refuses what exists as well.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) throw error;
    await copyFile(aside, path, constants.COPYFILE_EXCL);
  }
}

/** As the last step of a promise chain: says which file it was about. */
function refusal(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw error.code === 'EEXIST' ? existing(path) : unwritable(path, error);
  };
}

const existing = (path: string): CliError =>
  new CliError(`${path} exists and is not overwritten.`, {
    code: 'FILE_EXISTS',
    exit: EXIT.conflict,
    remedy: 'Choose another file, or give --force to replace it.',
  });

const unwritable = (path: string, error: NodeJS.ErrnoException): CliError =>
  usageError(`${path} cannot be written (${error.code ?? error.message}).`, 'Check the folder and its permissions.');
