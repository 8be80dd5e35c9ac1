import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceFile, Violation } from './source-file.ts';

export const ROOT = join(import.meta.dirname, '..', '..');

const NOT_OURS = ['node_modules', '.git', '.sallyport', 'dist', 'coverage'];
const IS_TEXT = /\.(ts|tsx|mjs|json|md|ya?ml|css|html|svg|txt|sh|sql|conf|cfg|cnf)$|(^|\/)(\.gitignore|LICENSE|run)$/;

/**
 * The files that belong to the repository: what git tracks, or everything where there is no git (an unpacked archive).
 * What is no text is listed with an empty one.
 */
export function repositoryFiles(): SourceFile[] {
  // The exception for the owner: CI systems mount a checkout that belongs to somebody else, which git would refuse.
  const git = spawnSync('git', ['-c', 'safe.directory=*', 'ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' });
  const paths =
    git.status === 0
      ? git.stdout.split('\0').filter((path) => path !== '')
      : globSync('**/*', { cwd: ROOT, exclude: (name) => NOT_OURS.includes(name) });
  return paths
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile())
    .sort()
    .map((path) => ({ path, text: IS_TEXT.test(path) ? readFileSync(join(ROOT, path), 'utf8') : '' }));
}

/** Prints every violation, those of one reason together with the reason; the process then ends with 1. Silent when there are none. */
export function report(violations: Iterable<Violation>): void {
  const byReason = Map.groupBy(violations, ({ why }) => why);
  for (const [why, places] of byReason) {
    console.error(`\n${why}`);
    for (const { path, line, found } of places) console.error(`  ${path}${line === null ? '' : `:${line}`}  ${found}`);
  }
  if (byReason.size > 0) process.exitCode = 1;
}
