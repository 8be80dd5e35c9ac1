import type { SourceFile, Violation } from './source-file.ts';

const LOCK = 'package-lock.json';

interface LockedPackage {
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const INCOMPLETE =
  'npm ci refuses a lock file that leaves out an optional dependency, also one for another platform. A registry that does ' +
  'not carry that platform makes npm leave it out: add the entry by hand, as its sisters stand.';
const ADDRESS =
  'A download address in the lock file ties every installation to one registry host. Take it out: npm finds the package by its integrity.';

/** Finds what would make `npm ci` fail elsewhere: missing optional packages, and download addresses. */
export function* lockFile(files: readonly SourceFile[]): Generator<Violation, void, undefined> {
  const file = files.find(({ path }) => path === LOCK);
  if (file === undefined) return;
  const { packages } = JSON.parse(file.text) as { packages: Readonly<Record<string, LockedPackage>> };
  for (const [path, locked] of Object.entries(packages)) {
    if (locked.resolved?.includes('://')) yield { path: LOCK, line: 1, found: path, why: ADDRESS };
    for (const name of Object.keys(locked.optionalDependencies ?? {})) {
      const isLocked = `node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages;
      if (!isLocked) yield { path: LOCK, line: 1, found: name, why: INCOMPLETE };
    }
  }
}
