import { visit } from 'yaml';
import { type EditableText, positionIn } from './edit/editable-text.ts';
import { YamlCursor } from './edit/yaml-cursor.ts';
import type { YamlFile } from './edit/yaml-file.ts';
import type { Problem } from './finding.ts';
import { ManifestError, type ManifestErrorCode } from './manifest-error.ts';

/** A refusal at a place of the file as it was handed in. */
export function refusal(
  source: EditableText,
  code: ManifestErrorCode,
  message: string,
  place: YamlCursor,
): ManifestError {
  return new ManifestError(code, message, source.originalPosition(place.part.offsetInFile(place.keyOffset)));
}

/** @throws ManifestError YAML_INVALID or HELM_TEMPLATE, at the first place that is not plain YAML. */
export function refuseUnparsable(file: YamlFile): void {
  const { text } = file.source;
  const template = templateOffset(file);
  if (template !== undefined) {
    const message =
      'This is a template of a Helm chart, not a manifest. Set mTLS.secretName and managerEndpoint in the values instead.';
    throw new ManifestError('HELM_TEMPLATE', message, positionIn(text, template));
  }
  for (const part of file.parts) {
    if (!part.fault) continue;
    const at = positionIn(text, part.offsetInFile(part.fault.offset));
    throw new ManifestError(
      'YAML_INVALID',
      `The YAML cannot be parsed: ${part.fault.reason}. Mend it; text copied from a web page often loses its indentation.`,
      at,
    );
  }
}

/** Where a Go template stands. To YAML `{{ .Values.name }}` is a map in a map, or an error; inside quotes and blocks it is text. */
function templateOffset(file: YamlFile): number | undefined {
  // No brace inside an action: with them a line of a million braces would be read a million times.
  const actions = [...file.source.text.matchAll(/\{\{[^{}\n]*\}\}/g)];
  const action = actions.find(([text]) => /\.(?:Values|Release|Chart)\b|\binclude\b/.test(text));
  if (!action) return undefined;
  if (file.parts.some((part) => part.fault)) return action.index;
  for (const part of file.parts) {
    let found: number | undefined;
    visit(part.document, {
      Map(_, map) {
        if (!map.flow || !map.range || !part.text.startsWith('{{', map.range[0])) return undefined;
        found = part.offsetInFile(map.range[0]);
        return visit.BREAK;
      },
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Every document that cannot be parsed. */
export function* yamlFaults(file: YamlFile): Iterable<Problem> {
  for (const part of file.parts) {
    if (!part.fault) continue;
    yield {
      code: 'YAML_INVALID',
      at: { part, offset: part.fault.offset },
      message: `The YAML cannot be parsed: ${part.fault.reason}.`,
      remedy: 'Mend it; text copied from a web page often loses its indentation.',
    };
  }
}

/** @throws ManifestError DUPLICATE_KEY at a key that stands twice and that nobody can join without guessing. */
export function refuseDuplicates(file: YamlFile, inner: readonly (YamlCursor | undefined)[] = []): void {
  const roots = [...file.parts.map((part) => YamlCursor.root(part)), ...inner];
  for (const root of roots) if (root) refuseDuplicatesBelow(root, file);
}

function refuseDuplicatesBelow(cursor: YamlCursor, file: YamlFile): void {
  if (cursor.alias) return;
  const [key, first, second] = duplicatesIn(cursor)[0] ?? [];
  if (first && second) {
    const { line } = file.source.originalPosition(first.part.offsetInFile(first.keyOffset));
    const message = `The key "${key}" stands twice in one map (first in line ${line}), with different values. Decide which one counts and remove the other.`;
    throw refusal(file.source, 'DUPLICATE_KEY', message, second);
  }
  for (const child of cursor.map ? cursor.entries() : cursor.items()) refuseDuplicatesBelow(child, file);
}

/** Every key that a map writes more than once, with its first and its second value. */
export function duplicatesIn(map: YamlCursor): [string, YamlCursor, YamlCursor][] {
  const first = new Map<string, YamlCursor>();
  const found: [string, YamlCursor, YamlCursor][] = [];
  for (const entry of map.entries()) {
    const key = entry.link.kind === 'pair' ? entry.link.key : '';
    const before = first.get(key);
    if (before) found.push([key, before, entry]);
    else first.set(key, entry);
  }
  return found;
}
