import { constants } from 'node:fs';
import { access, open, readFile, rename, rm, stat } from 'node:fs/promises';
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

/** Reads a small file. Throws a usage error that names it. */
export async function readLocalFile(path: string): Promise<Buffer> {
  try {
    if ((await stat(path)).size > LARGEST_FILE_BYTES) {
      throw usageError(`${path} is larger than ${LARGEST_FILE_BYTES} bytes.`, 'Name a certificate or key file.');
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw usageError(`${path} cannot be read (${code}).`, 'Check the path, and that this user may read it.');
  }
}

export const readLocalText = async (path: string): Promise<string> => (await readLocalFile(path)).toString('utf8');

/** Throws when one of them exists: asked before anything is made, so that a long key generation is not for nothing. */
export async function refuseExisting(paths: readonly string[], force: boolean): Promise<void> {
  if (force) return;
  for (const path of paths) {
    const exists = await access(path, constants.F_OK).then(
      () => true,
      () => false,
    );
    if (exists) throw existing(path);
  }
}

/**
 * Writes all of them or leaves those that exist as they were. Each is written aside, flushed and put in its place in one
 * step: a reader sees the old file or the new one, never a part. Without `force` nothing is ever overwritten.
 */
export async function writeLocalFiles(files: readonly NewFile[], force: boolean): Promise<void> {
  await refuseExisting(
    files.map(({ path }) => path),
    force,
  );
  for (const { path, text, secret } of files) {
    if (force) await replace(path, text, secret);
    else await create(path, text, secret);
  }
}

async function create(path: string, text: string, secret: boolean): Promise<void> {
  // 'wx': what appeared since refuseExisting looked, a link to somewhere else included, is not written over.
  const handle = await open(path, 'wx', secret ? 0o600 : 0o644).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? existing(path) : unwritable(path, error);
  });
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function replace(path: string, text: string, secret: boolean): Promise<void> {
  const aside = `${path}.${process.pid}.new`;
  try {
    await create(aside, text, secret);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error instanceof CliError ? error : unwritable(path, error as NodeJS.ErrnoException);
  }
}

const existing = (path: string): CliError =>
  new CliError(`${path} exists and is not overwritten.`, {
    code: 'FILE_EXISTS',
    exit: EXIT.conflict,
    remedy: 'Choose another file, or give --force to replace it.',
  });

const unwritable = (path: string, error: NodeJS.ErrnoException): CliError =>
  usageError(`${path} cannot be written (${error.code ?? error.message}).`, 'Check the folder and its permissions.');
