import { posix } from 'node:path';
import { importStatements } from './import-statements.ts';
import { ROOMS, roomOf } from './rooms.ts';
import { isCode, isTest, type SourceFile, type Violation } from './source-file.ts';

/** Finds every import that goes up, sideways, out of its room, or from the product into tests. */
export function* importFloors(files: readonly SourceFile[]): Generator<Violation, void, undefined> {
  for (const file of files.filter(isCode)) {
    for (const { specifier, line } of importStatements(file)) {
      const why = specifier === null ? computed(file.path) : objection(file.path, specifier);
      if (why !== null) yield { path: file.path, line, found: specifier ?? 'import(...)', why };
    }
  }
}

function computed(path: string): string | null {
  if (isTest(path) || ROOMS[roomOf(path)] === undefined) return null;
  return 'A computed import cannot be checked, and whoever controls the name chooses the code: import by a literal name.';
}

function objection(path: string, specifier: string): string | null {
  if (specifier.startsWith('.')) return relativeObjection(path, specifier);
  const imported = /^@sallyport\/([^/]+)/.exec(specifier)?.[1];
  if (imported === undefined) return null;
  const name = roomOf(path);
  const room = ROOMS[name];
  if (imported === 'dev-env') {
    if (isTest(path) || name === 'packages/dev-env') return null;
    return (
      'Only tests import @sallyport/dev-env: it makes test CAs, starts databases and hands out keys, ' +
      'and a program that imported it would ship all of that to production.'
    );
  }
  if (room === undefined || name.endsWith(`/${imported}`) || room.mayImport.includes(imported)) return null;
  const allowed = room.mayImport.map((other) => `@sallyport/${other}`).join(', ') || 'none of the other rooms';
  return `${name} may import ${allowed}. ${room.because}`;
}

function relativeObjection(path: string, specifier: string): string | null {
  const target = posix.join(posix.dirname(path), specifier);
  if (ROOMS[roomOf(path)] !== undefined && roomOf(target) !== roomOf(path)) {
    return (
      'A relative import must stay in its package: the path breaks when the package is installed alone, and goes past ' +
      'what the other one exports. Import @sallyport/<name>.'
    );
  }
  if (!isTest(path) && roomOf(path) !== 'packages/dev-env' && isTest(target)) {
    return (
      'Product code must not import tests or what only they use: it is not there in an installed package, and what makes ' +
      'tests convenient (keys, switched-off checks) has no place in production.'
    );
  }
  return null;
}
