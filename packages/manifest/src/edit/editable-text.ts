/** Replaces the characters from `start` up to `end` (offsets into the text as it stands) by `text`. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface TextPosition {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}

/**
 * A text that is changed by small edits and remembers where every character came from, so that whatever is found
 * after some edits can still be reported at its line in the file that the caller handed in.
 */
export class EditableText {
  readonly original: string;
  readonly eol: '\n' | '\r\n';
  #text: string;
  readonly #batches: TextEdit[][] = [];

  constructor(text: string) {
    this.original = text;
    this.#text = text;
    this.eol = eolOf(text);
  }

  get text(): string {
    return this.#text;
  }

  /**
   * Applies edits that belong together; they must not overlap. Insertions at one place keep the order they are given in,
   * and one that falls into a removed stretch goes to the end of the line before it.
   */
  apply(edits: readonly TextEdit[]): void {
    const removed = edits.filter((edit) => edit.text === '' && edit.end > edit.start);
    const ordered = edits.map((edit) => this.#outOf(removed, edit)).sort((a, b) => a.start - b.start || a.end - b.end);
    let result = '';
    let at = 0;
    for (const edit of ordered) {
      if (edit.start < at || edit.end < edit.start) throw new RangeError(`edits overlap at offset ${edit.start}`);
      result += this.#text.slice(at, edit.start) + edit.text;
      at = edit.end;
    }
    this.#text = result + this.#text.slice(at);
    this.#batches.push(ordered);
  }

  #outOf(removed: readonly TextEdit[], edit: TextEdit): TextEdit {
    const around = removed.find((hole) => edit.start === edit.end && hole.start < edit.start && edit.start < hole.end);
    if (!around) return edit;
    const before = this.#text.slice(0, around.start);
    const start = before.replace(/\r?\n$/, '').length;
    return { start, end: start, text: edit.text };
  }

  /** Where the character at `offset` of the present text stood in the original; inserted text counts as its insertion point. */
  originalOffset(offset: number): number {
    let result = offset;
    for (const batch of this.#batches.toReversed()) result = offsetBefore(batch, result);
    return result;
  }

  originalPosition(offset: number): TextPosition {
    return positionIn(this.original, this.originalOffset(offset));
  }
}

function offsetBefore(batch: readonly TextEdit[], offset: number): number {
  let shift = 0;
  for (const edit of batch) {
    const start = edit.start + shift;
    if (offset < start) break;
    if (offset < start + edit.text.length) return Math.min(edit.start + offset - start, edit.end);
    shift += edit.text.length - (edit.end - edit.start);
  }
  return offset - shift;
}

export function positionIn(text: string, offset: number): TextPosition {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < lineStart; at = text.indexOf('\n', at + 1)) line++;
  return { line, column: offset - lineStart + 1 };
}

/** The line end that a text uses: that of most lines, where editors have mixed them. */
export function eolOf(text: string): '\n' | '\r\n' {
  let [all, windows] = [0, 0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) {
    all++;
    if (text[at - 1] === '\r') windows++;
  }
  return windows * 2 > all ? '\r\n' : '\n';
}
