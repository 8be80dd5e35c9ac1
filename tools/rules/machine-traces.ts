import { matchesOf, type SourceFile, type Violation } from './source-file.ts';

const PATH_WHY =
  'A path of one machine works on that machine only and tells strangers how it is laid out: use a path relative to the file ' +
  '(import.meta.dirname), a temporary folder, or a setting.';
const HOST_WHY =
  'A package registry is the choice of the machine that installs: named in a file, a lock file above all, it makes every ' +
  'clone fetch from that host, or fail where it cannot be reached. Take it out (npm: omit-lockfile-registry-resolved).';

const HOME = /(?<![\w.~-])\/(?:home|Users|root)\/\w[\w.-]*/g;
const REGISTRY = /\bregistry\.(?!example\b|test\b|local)[a-z0-9-]+\.[a-z]{2,}|"resolved": "https?:[^"]*/g;

/** Finds paths of a developer's machine (those given, and home folders in general) and hosts of package registries. */
export function* machineTraces(
  files: readonly SourceFile[],
  ownPaths: readonly string[],
): Generator<Violation, void, undefined> {
  // Shorter ones, such as /app in a container, are words that appear for other reasons.
  const own = ownPaths.filter((path) => path.split('/').length > 2);
  for (const file of files) {
    yield* matchesOf(file, file.text, HOME, PATH_WHY);
    for (const path of own) yield* matchesOf(file, file.text, literal(path), PATH_WHY);
    yield* matchesOf(file, file.text, REGISTRY, HOST_WHY);
  }
}

const literal = (text: string): RegExp => new RegExp(`${text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}\\b`, 'g');
