import type { TextEdit } from './editable-text.ts';

/** A stretch of a file with offsets of its own. */
export interface TextPart {
  /** Carries edits of the part to the file. */
  place(edits: readonly TextEdit[]): TextEdit[];
  offsetInFile(offset: number): number;
}

/** An edit of a part, in the part's own offsets. */
export interface PartEdit extends TextEdit {
  readonly part: TextPart;
}

/** The file itself as a part. */
export const wholeFile: TextPart = { place: (edits) => [...edits], offsetInFile: (offset) => offset };

/** Carries edits of several parts to the file that the parts came from. */
export function placeEdits(edits: readonly PartEdit[]): TextEdit[] {
  const parts = new Set(edits.map((edit) => edit.part));
  return [...parts].flatMap((part) => part.place(edits.filter((edit) => edit.part === part)));
}
