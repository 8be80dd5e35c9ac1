import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { usageError } from './errors.ts';

/** One control plane and the key to it, as `login` stored them. */
export interface Profile {
  /** https://host[:port] of the control plane's public listener. */
  readonly url: string;
  readonly key: string;
  /** Absolute path of the PEM file with the CA of the control plane's own certificate; absent: the system's roots. */
  readonly caFile?: string;
  /** Account that commands are about when nothing else names one. */
  readonly account?: string;
}

export interface Profiles {
  readonly file: string;
  /** The profile that is used when none is named; null when there is none. */
  readonly current: string | null;
  readonly profiles: ReadonlyMap<string, Profile>;
  /** True when others than the owner may read the file: the keys in it are then no secret. */
  readonly readableByOthers: boolean;
}

const PROFILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Reads profiles.json of the folder. A missing file is an empty set; a file that is not ours is an error that names it. */
export async function readProfiles(directory: string): Promise<Profiles> {
  const file = join(directory, 'profiles.json');
  let text: string;
  let readableByOthers = false;
  try {
    text = await readFile(file, 'utf8');
    readableByOthers = process.platform !== 'win32' && ((await stat(file)).mode & 0o077) !== 0;
  } catch (error) {
    if (isNotFound(error)) return { file, current: null, profiles: new Map(), readableByOthers };
    throw usageError(
      `The profile file ${file} cannot be read.`,
      'Make it readable for this user, or name another folder in SALLYPORT_CONFIG_DIR.',
      String(error),
    );
  }
  return { file, readableByOthers, ...parseProfiles(file, text) };
}

/**
 * Adds or replaces one profile and makes it the current one (with `keepCurrent` only when there is none). When it returns, the file (0600, in a folder made 0700)
 * holds the whole new content and is on disk; whoever reads it meanwhile sees the old content or the new, never a part.
 * Of two writers at the same moment one wins.
 */
export async function writeProfile(
  directory: string,
  name: string,
  profile: Profile,
  { keepCurrent = false }: { readonly keepCurrent?: boolean } = {},
): Promise<string> {
  if (!PROFILE_NAME.test(name)) {
    throw usageError(`"${name}" is not a profile name.`, 'Use up to 64 letters, digits, dots, dashes and underscores.');
  }
  const { file, current, profiles } = await readProfiles(directory);
  const next = keepCurrent ? (current ?? name) : name;
  await replaceFile(directory, file, next, new Map([...profiles, [name, profile]]));
  return file;
}

/** Takes one profile out of the file. Resolves to false when it was not there. */
export async function removeProfile(directory: string, name: string): Promise<boolean> {
  const { file, current, profiles } = await readProfiles(directory);
  const remaining = new Map(profiles);
  if (!remaining.delete(name)) return false;
  await replaceFile(directory, file, current === name ? null : current, remaining);
  return true;
}

function parseProfiles(file: string, text: string): Pick<Profiles, 'current' | 'profiles'> {
  const broken = (what: string) =>
    usageError(
      `The profile file ${file} is not usable: ${what}.`,
      'Mend it, or delete it and run "sallyport login" again.',
    );
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    // The parser's message quotes the text around the fault, and the text holds keys.
    throw broken(`it is not JSON (${error instanceof SyntaxError ? 'syntax error' : String(error)})`);
  }
  if (!isRecord(content) || !isRecord(content['profiles'])) throw broken('the field "profiles" is missing');
  const current = content['current'] ?? null;
  if (current !== null && typeof current !== 'string') throw broken('the field "current" is not the name of a profile');
  const profiles = new Map<string, Profile>();
  for (const [name, entry] of Object.entries(content['profiles'])) {
    if (!isRecord(entry) || typeof entry['url'] !== 'string' || typeof entry['key'] !== 'string') {
      throw broken(`profile "${name}" has no "url" or no "key"`);
    }
    const { url, key, caFile, account } = entry;
    profiles.set(name, {
      url,
      key,
      ...(typeof caFile === 'string' ? { caFile } : {}),
      ...(typeof account === 'string' ? { account } : {}),
    });
  }
  return { current, profiles };
}

async function replaceFile(
  directory: string,
  file: string,
  current: string | null,
  profiles: ReadonlyMap<string, Profile>,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const content = `${JSON.stringify({ current, profiles: Object.fromEntries(profiles) }, null, 2)}\n`;
  // In the same folder, because a rename is only atomic within one file system; exclusive, so that nobody can have put
  // a file or a link of theirs in its place to read the keys from.
  const draft = `${file}.${randomUUID()}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
    await handle.close();
    await rename(draft, file);
  } catch (error) {
    await handle.close();
    await rm(draft, { force: true });
    throw error;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
