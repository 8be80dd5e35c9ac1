import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The comment that keeps a file alone, with the reason: `// Alone in its process: measures its memory.` */
const ALONE = /^\/\/ Alone in its process: \S/m;
/** The comment that puts a file at the head of the queue: begun near the end, a long one would leave the other cores idle. */
const EARLY = /^\/\/ Among the first: \S/m;
/** Heaps and handles grow with each file. */
const FILES_A_PROCESS = 20;

export interface TestFile {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** What one process of a test run may take: the first of these files that no other process has claimed, `most` times. */
export interface Share {
  readonly paths: readonly string[];
  readonly most: number;
}

/**
 * How the files are shared out among processes: a lone file has its own, those come first. The others wait in one queue,
 * because what a process loads before its first test (the manager, its framework, its schemas) costs more than most files'
 * tests, and of fixed groups the longest would be running when all others have ended.
 */
export function shareOut(files: readonly TestFile[]): readonly Share[] {
  const alone = files.filter(({ text }) => ALONE.test(text));
  const together = files.filter((file) => !alone.includes(file));
  const early = together.filter(({ text }) => EARLY.test(text));
  const queue = [...early, ...together.filter((file) => !early.includes(file))].map(({ path }) => path);
  return [
    ...alone.map(({ path }) => ({ paths: [path], most: 1 })),
    ...Array.from({ length: Math.ceil(queue.length / FILES_A_PROCESS) }, () => ({
      paths: queue,
      most: FILES_A_PROCESS,
    })),
  ];
}

/** Which files of a run have been begun and ended, told by the processes to each other and to the run, in this folder. */
export class RunRecord {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** True for one process only: the file is its to run. */
  claim(path: string): boolean {
    try {
      writeFileSync(this.#mark('begun', path), '', { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  ended(path: string): void {
    writeFileSync(this.#mark('ended', path), '');
  }

  /**
   * Why a run is not whole; empty when every file came to its end. The runner itself takes a process that ends with status
   * 0 in the middle of its tests for a passed one, and never hears of the files after it.
   */
  missing(paths: readonly string[]): readonly string[] {
    const open = paths.filter((path) => !existsSync(this.#mark('ended', path)));
    const begun = open.filter((path) => existsSync(this.#mark('begun', path)));
    const left = open.filter((path) => !begun.includes(path));
    return [
      ...begun.map((path) => `${path}: its process ended in the middle of it`),
      ...(left.length === 0 ? [] : [`never begun, because processes ended before their time: ${left.join(', ')}`]),
    ];
  }

  #mark(what: 'begun' | 'ended', path: string): string {
    return join(this.#folder, `${encodeURIComponent(path)}.${what}`);
  }
}
