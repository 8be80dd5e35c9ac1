import { deepEqual } from 'node:assert/strict';
import { join } from 'node:path';
import { after, suite } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { RunRecord, type Share } from './test-queue.ts';

export interface TestProcess extends Share {
  /** The root of the repository, which the paths are relative to. */
  readonly root: string;
  /** Where the processes of this run tell each other what they have taken. */
  readonly record: string;
  /** What closes by itself has this long after the last test. */
  readonly leftOpenMs?: number;
  readonly loadWithinMs?: number;
  /** Beyond the runner's limit for one test. */
  readonly endWithinMs?: number;
}

/** A module for `node --test` that runs its share of the files. */
export function processModule(testProcess: TestProcess): string {
  const self = JSON.stringify(import.meta.url);
  return `import { runTestFiles } from ${self};\n\nawait runTestFiles(${JSON.stringify(testProcess, null, 2)});\n`;
}

/**
 * Runs files one after the other, each in a suite with its path for a name: hooks at the top of a file are hooks of its
 * suite, and a file that cannot be loaded fails under its own name. What the tests have left open ends the process as
 * failed, instead of holding up the run for ever.
 */
export async function runTestFiles(testProcess: TestProcess): Promise<void> {
  const { root, paths, most, leftOpenMs = 30_000, loadWithinMs = 60_000, endWithinMs = 360_000 } = testProcess;
  const record = new RunRecord(testProcess.record);
  // A test that waits for something that holds no process alive would end this one, with all that follows.
  const awake = setInterval(() => undefined, 60_000);
  const ran: string[] = [];
  const watch = watchOver(endWithinMs);
  for (const path of paths) {
    if (ran.length === most) break;
    if (!record.claim(path)) continue;
    ran.push(path);
    watch(path);
    const environment = { ...process.env };
    await suite(path, async () => {
      await load(pathToFileURL(join(root, path)), loadWithinMs);
      // What this one leaves behind would be found by another, at random. After its own hooks, which may put it back.
      after(() =>
        deepEqual(differing(environment, process.env), [], 'the file has changed variables for those after it'),
      );
    });
    record.ended(path);
  }
  clearInterval(awake);
  watch(null);
  setTimeout(() => {
    const open = process.getActiveResourcesInfo().join(', ');
    console.error(`The tests of this process have ended, and left open: ${open}. They were: ${ran.join(', ')}`);
    process.exit(1);
  }, leftOpenMs).unref();
}

/** Names only: what an environment holds is not for a log. */
function differing(before: NodeJS.ProcessEnv, now: NodeJS.ProcessEnv): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].filter((name) => before[name] !== now[name]);
}

/** The runner bounds the time of a test, not that of a file which waits for something before its first one. */
async function load(file: URL, withinMs: number): Promise<void> {
  const loaded = new AbortController();
  const late = delay(withinMs, undefined, { signal: loaded.signal }).then(
    () => Promise.reject(new Error(`The file was not loaded within ${withinMs / 1000} s: what does it await?`)),
    () => undefined,
  );
  try {
    await Promise.race([import(file.href), late]);
  } finally {
    loaded.abort();
  }
}

/**
 * Where a loop does not end, no timer of this thread comes to bound its test: another thread ends the process then, after
 * saying in which file. The returned function tells it which one begins; null, that there is no more.
 */
function watchOver(endWithinMs: number): (path: string | null) => void {
  const watcher = new Worker(
    `import { writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
let timer;
parentPort.on('message', (path) => {
  clearTimeout(timer);
  if (path === null) return;
  timer = setTimeout(() => {
    writeSync(2, path + ' does not end: its process is killed after ${endWithinMs / 1000} s.\\n');
    process.kill(process.pid, 'SIGKILL');
  }, ${endWithinMs});
});`,
    { eval: true },
  );
  watcher.unref();
  return (path) => watcher.postMessage(path);
}
