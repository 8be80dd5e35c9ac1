import type { Stats } from 'node:fs';
import { readFile, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { FileLook, FileSource } from './file-source.ts';

export interface FileUser {
  readonly uid: number;
  /** All groups, the `fsGroup` of a pod included. */
  readonly gids: readonly number[];
}

export interface MachineFilesOptions {
  /** A folder that stands for `/`: files copied out of a pod. */
  readonly root?: string | undefined;
  /** Who has to be able to read the files; this process when not given. */
  readonly user?: FileUser | undefined;
  /** Linux tells there what is mounted; tests give their own. */
  readonly mountInfoPath?: string | undefined;
}

/** Certificates are small: a larger file is another one. */
const LARGEST_BYTES = 1_048_576;
const MOST_LINKS = 8;

/** The files of this machine, or of a folder that stands for its root. */
export function machineFiles(options: MachineFilesOptions = {}): FileSource {
  const { root, user, mountInfoPath = '/proc/self/mountinfo' } = options;
  return {
    place: root ?? 'this machine',
    async look(path) {
      const at = root === undefined ? resolve(path) : join(root, path);
      const links = await linksFrom(at);
      const nothing = { path, text: null, mode: null, links, isMountPoint: false };
      try {
        const stats = await stat(at);
        const mode = stats.mode & 0o7777;
        if (!stats.isFile()) return { ...nothing, problem: notAFile(path, stats) };
        if (stats.size > LARGEST_BYTES) return { ...nothing, mode, problem: tooLarge(path) };
        const isMountPoint = await isMounted(at, mountInfoPath);
        const denied = user === undefined ? null : await deniedTo(user, at, stats);
        if (denied !== null) return { ...nothing, mode, isMountPoint, problem: unreadable(path, denied) };
        return { path, text: await readFile(at, 'utf8'), problem: null, mode, links, isMountPoint };
      } catch (error) {
        return { ...nothing, problem: problemOf(path, links, error) };
      }
    },
  };
}

/** How each hop is written, `..data/client.crt` and the like; Kubernetes swaps the folder behind the second hop. */
async function linksFrom(at: string): Promise<string[]> {
  const links: string[] = [];
  let next = at;
  while (links.length < MOST_LINKS) {
    const target = await readlink(next).catch(() => null);
    if (target === null) return links;
    links.push(target);
    next = resolve(dirname(next), target);
  }
  return links;
}

async function isMounted(at: string, mountInfoPath: string): Promise<boolean> {
  const table = await readFile(mountInfoPath, 'utf8').catch(() => '');
  const real = await realpath(at).catch(() => at);
  const points = new Set(table.split('\n').map((line) => unescaped(line.split(' ')[4] ?? '')));
  return points.has(at) || points.has(real);
}

/** proc(5): blanks and backslashes stand there as octal escapes. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Which rule keeps the user out, or null. Root is never kept out. */
async function deniedTo(user: FileUser, at: string, stats: Stats): Promise<string | null> {
  if (user.uid === 0) return null;
  const real = await realpath(at).catch(() => at);
  const folder = await stat(dirname(real)).catch(() => null);
  if (folder !== null && !allowed(user, folder, 0o1)) {
    return `user ${user.uid} may not enter its folder (mode ${octal(folder.mode)}, owner ${folder.uid}:${folder.gid})`;
  }
  if (allowed(user, stats, 0o4)) return null;
  return `user ${user.uid} may not (mode ${octal(stats.mode)}, owner ${stats.uid}:${stats.gid})`;
}

function allowed({ uid, gids }: FileUser, stats: Stats, bit: number): boolean {
  if (stats.uid === uid) return (stats.mode & (bit << 6)) !== 0;
  if (gids.includes(stats.gid)) return (stats.mode & (bit << 3)) !== 0;
  return (stats.mode & bit) !== 0;
}

export const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');

type FileProblem = NonNullable<FileLook['problem']>;

function unreadable(path: string, why: string): FileProblem {
  return {
    what: `${path} cannot be read: ${why}.`,
    remedy:
      'Let the user of the delegate read it: own it by that user, or in Kubernetes set fsGroup and defaultMode 0440.',
  };
}

function notAFile(path: string, stats: Stats): FileProblem {
  return {
    what: `${path} is ${stats.isDirectory() ? 'a folder' : 'no file'}.`,
    remedy: stats.isDirectory()
      ? 'Docker makes a folder where the file to mount is missing: put the file there, or mount the folder above it.'
      : 'Put the PEM file itself there.',
  };
}

const tooLarge = (path: string): FileProblem => ({
  what: `${path} is larger than ${LARGEST_BYTES} bytes.`,
  remedy: 'Put the PEM file itself there.',
});

function problemOf(path: string, links: readonly string[], error: unknown): FileProblem {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
  if (code === 'EACCES' || code === 'EPERM') return unreadable(path, 'this user may not');
  if (code === 'ENOENT' && links.length > 0) {
    return {
      what: `${path} is a link to ${links.join(', then ')}, and nothing is there.`,
      remedy: 'Copy the files themselves, not the links; in a pod look whether the Secret has that key.',
    };
  }
  const what = code === 'ENOENT' ? `${path} is not there.` : `${path} cannot be read (${code}).`;
  return { what, remedy: 'Check the path in the environment, and the mount or volume that should bring the file.' };
}
