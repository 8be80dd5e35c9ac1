import type { Place, Repair } from '../finding.ts';
import { separate } from './shared-nodes.ts';
import type { PartEdit } from './text-part.ts';
import type { YamlCursor } from './yaml-cursor.ts';

/** Where a problem is reported: at a value, or at its key. */
export function at(cursor: YamlCursor): Place {
  return { part: cursor.part, offset: cursor.keyOffset };
}

/**
 * A repair at one place. If the place shares its text with others (anchors, merge keys), the repair first gives it text
 * of its own; whoever applies repairs asks again afterwards.
 */
export function repairAt(
  cursor: YamlCursor | readonly YamlCursor[],
  what: string,
  edits: () => readonly PartEdit[],
): () => Repair {
  return () => {
    for (const place of [cursor].flat()) {
      const separation = separate(place);
      if (separation) return { ...separation, alone: true };
    }
    return { what, edits: edits() };
  };
}
