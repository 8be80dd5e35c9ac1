import { YamlCursor } from '../edit/yaml-cursor.ts';
import type { YamlFile } from '../edit/yaml-file.ts';
import { refusal } from './refusals.ts';
import { duplicatesIn } from './rules/duplicate-keys.ts';

/** @throws ManifestError DUPLICATE_KEY at a key that stands twice and that nobody can join without guessing. */
export function refuseDuplicates(file: YamlFile, inner: readonly (YamlCursor | undefined)[] = []): void {
  const roots = [...file.parts.map((part) => YamlCursor.root(part)), ...inner];
  for (const root of roots) if (root) visit(root, file);
}

function visit(cursor: YamlCursor, file: YamlFile): void {
  if (cursor.alias) return;
  const [key, first, second] = duplicatesIn(cursor)[0] ?? [];
  if (first && second) {
    const { line } = file.source.originalPosition(first.part.offsetInFile(first.keyOffset));
    const message = `The key "${key}" stands twice in one map (first in line ${line}), with different values. Decide which one counts and remove the other.`;
    throw refusal(file.source, 'DUPLICATE_KEY', message, second);
  }
  for (const child of cursor.map ? cursor.entries() : cursor.items()) visit(child, file);
}
