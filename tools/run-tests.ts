import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './run-command.ts';
import { processModule } from './run-test-files.ts';
import { RunRecord, shareOut, type TestFile } from './test-queue.ts';

export interface TestRun {
  readonly root: string;
  readonly files: readonly TestFile[];
  /** A module with what is there for all files. */
  readonly setUp?: string;
  readonly output?: 'inherit' | 'ignore';
}

/** Why the run failed: the runner's reason, and what did not come to its end. Empty when every file ran, and passed. */
export async function runTests({ root, files, setUp, output = 'inherit' }: TestRun): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-tests-'));
  const clear = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', clear);
  const record = join(folder, 'record');
  mkdirSync(record);
  const modules = shareOut(files).map((share, index) => {
    // The runner starts them in the order of their names, which it takes for patterns.
    const name = share.most === 1 ? share.paths[0]?.replaceAll(/[^\w.-]/g, '-') : 'from-the-queue';
    const module = join(folder, `${String(index).padStart(3, '0')}-${name}.mjs`);
    writeFileSync(module, processModule({ ...share, root, record }));
    return module;
  });
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-concurrency=3',
    // Whatever hangs is named, instead of holding up the run for ever.
    '--test-timeout=240000',
    '--test-reporter=spec',
    ...(setUp === undefined ? [] : [`--test-global-setup=${setUp}`]),
    ...modules,
  ];
  const reason = await runCommand(process.execPath, args, output);
  const missing = new RunRecord(record).missing(files.map(({ path }) => path));
  clear();
  process.off('exit', clear);
  return [...(reason === null ? [] : [reason]), ...missing];
}
