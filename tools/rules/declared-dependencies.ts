import { isBuiltin } from 'node:module';
import { importStatements } from './import-statements.ts';
import { roomOf } from './rooms.ts';
import { isCode, isTest, type SourceFile, type Violation } from './source-file.ts';

const WHY =
  'Every package that is imported is named in a package.json: under "dependencies" of the same folder for product code; for ' +
  'tests the root will do, and "devDependencies". Undeclared, a package is found only while npm happens to put it within reach.';

/** Finds imported packages that nobody declared, each once for the package.json that lacks it. */
export function* declaredDependencies(files: readonly SourceFile[]): Generator<Violation, void, undefined> {
  const manifests = new Map(files.filter(isManifest).map(({ path, text }) => [path, JSON.parse(text) as Manifest]));
  const reported = new Set<string>();
  for (const file of files.filter(isCode)) {
    const room = roomOf(file.path);
    const own = manifests.get(`${room}/package.json`);
    const declared = declaredFor(file.path, own, manifests);
    const lacking = own === undefined ? 'package.json' : `${room}/package.json`;
    for (const { specifier, line } of importStatements(file)) {
      if (specifier === null || specifier.startsWith('.') || isBuiltin(specifier)) continue;
      const name = packageName(specifier);
      if (declared.has(name) || reported.has(`${lacking} ${name}`)) continue;
      reported.add(`${lacking} ${name}`);
      yield { path: lacking, line: null, found: `lacks ${name}, which ${file.path}:${line} imports`, why: WHY };
    }
  }
}

const UNUSED_WHY =
  'Every dependency is code that runs with the rights of this program, and has to be kept up to date: one that nothing ' +
  'imports is taken out of its package.json.';

/** Finds "dependencies" that no file of their package imports, and that are no peer of one which it does. */
export function* unusedDependencies(files: readonly SourceFile[]): Generator<Violation, void, undefined> {
  const lock = files.find(({ path }) => path === 'package-lock.json')?.text ?? '{}';
  const { packages = {} } = JSON.parse(lock) as LockFile;
  for (const { path, text } of files.filter(isManifest)) {
    const room = roomOf(path);
    const own = files.filter((file) => isCode(file) && roomOf(file.path) === room);
    const imported = new Set(own.flatMap(importStatements).map(({ specifier }) => packageName(specifier ?? '')));
    const peers = new Set(
      [...imported].flatMap((name) => Object.keys(packages[`node_modules/${name}`]?.peerDependencies ?? {})),
    );
    for (const name of Object.keys((JSON.parse(text) as Manifest).dependencies ?? {})) {
      if (!imported.has(name) && !peers.has(name)) yield { path, line: null, found: name, why: UNUSED_WHY };
    }
  }
}

function declaredFor(path: string, own: Manifest | undefined, manifests: ReadonlyMap<string, Manifest>): Set<string> {
  const declared = [own?.name ?? '', ...Object.keys(own?.dependencies ?? {})];
  // Folders without a package.json of their own are not published, and dev-env neither: the root speaks for them.
  if (own === undefined || isTest(path) || path.startsWith('packages/dev-env/')) {
    const root = manifests.get('package.json');
    for (const names of [own?.devDependencies, root?.dependencies, root?.devDependencies]) {
      declared.push(...Object.keys(names ?? {}));
    }
    // npm links every workspace into the root.
    declared.push(
      ...[...manifests.values()].map(({ name = '' }) => name).filter((name) => name.startsWith('@sallyport/')),
    );
  }
  return new Set(declared);
}

interface Manifest {
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface LockFile {
  readonly packages?: Readonly<Record<string, { readonly peerDependencies?: Readonly<Record<string, string>> }>>;
}

const isManifest = ({ path }: SourceFile): boolean => /(^|\/)package\.json$/.test(path);

const packageName = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
