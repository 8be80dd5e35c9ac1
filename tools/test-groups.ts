import { pathToFileURL } from 'node:url';

/** The comment that keeps a file alone, with the reason: `// Alone in its process: measures its memory.` */
const ALONE = /^\/\/ Alone in its process: \S/m;
const FILES_A_PROCESS = 20;
/** What closes by itself has this long after the last test, in milliseconds. */
const LEFT_OPEN_MS = 30_000;

export interface TestFile {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/**
 * Which test files share a process: neighbours do, because what a process loads before its first test (the manager, its
 * framework, its schemas) costs more than most files' tests. The lone files come first, being the longest.
 */
export function groupTests(files: readonly TestFile[]): readonly (readonly string[])[] {
  const paths = (alone: boolean) => files.filter(({ text }) => ALONE.test(text) === alone).map(({ path }) => path);
  const together = paths(false);
  const processes = Math.ceil(together.length / FILES_A_PROCESS);
  const size = Math.ceil(together.length / processes);
  return [
    ...paths(true).map((path) => [path]),
    ...Array.from({ length: processes }, (_, index) => together.slice(index * size, (index + 1) * size)),
  ];
}

/**
 * A module for `node --test` that runs these files one after the other, each in a suite with its path for a name: hooks
 * at the top of a file are hooks of its suite, and a file that cannot be loaded fails under its own name.
 */
export function groupModule(root: string, paths: readonly string[], leftOpenMs = LEFT_OPEN_MS): string {
  const base = pathToFileURL(`${root}/`);
  const files = paths.map((path) => [path, new URL(path, base).href]);
  // The interval: a test that waits for something that holds no process alive would end this one, with all that follows.
  // And what a test has left open would hold up the run for ever.
  return `import { suite } from 'node:test';

const awake = setInterval(() => undefined, 60_000);
for (const [path, url] of ${JSON.stringify(files, null, 2)}) await suite(path, () => import(url));
clearInterval(awake);
setTimeout(() => {
  console.error('The tests have ended, and left open: ' + process.getActiveResourcesInfo().join(', '));
  process.exit(1);
}, ${leftOpenMs}).unref();
`;
}
