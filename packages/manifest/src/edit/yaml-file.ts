import type { EditableText, TextEdit } from './editable-text.ts';
import { type ParsedYaml, parseYaml, type YamlPart } from './yaml-part.ts';

/** The documents of a YAML file. Only documents whose text changed since the last look are parsed again. */
export class YamlFile {
  readonly source: EditableText;
  #parsed = new Map<string, ParsedYaml>();
  #seen: { text: string; parts: readonly YamlPart[] } | undefined;

  constructor(source: EditableText) {
    this.source = source;
  }

  get parts(): readonly YamlPart[] {
    const { text } = this.source;
    if (this.#seen?.text === text) return this.#seen.parts;
    const parsed = new Map<string, ParsedYaml>();
    const parts = documentBounds(text).map(([start, end]) => {
      const part = text.slice(start, end);
      const known = this.#parsed.get(part) ?? parseYaml(part);
      parsed.set(part, known);
      return this.#part(part, start, known);
    });
    this.#parsed = parsed;
    this.#seen = { text, parts };
    return parts;
  }

  #part(text: string, base: number, { document, fault }: ParsedYaml): YamlPart {
    return {
      text,
      eol: this.source.eol,
      document,
      fault,
      offsetInFile: (offset) => base + offset,
      place: (edits: readonly TextEdit[]) =>
        edits.map((edit) => ({ start: base + edit.start, end: base + edit.end, text: edit.text })),
    };
  }
}

/**
 * Start and end of every document. A marker (`---`, `...`) at the start of a line ends a document whatever surrounds it
 * (YAML 1.2, 9.1.2), so no parser is needed. Comments and directives before a marker belong to the document after it.
 */
function documentBounds(text: string): [number, number][] {
  const bounds: [number, number][] = [];
  let start = 0;
  const close = (end: number) => {
    if (end > start) bounds.push([start, end]);
    start = end;
  };
  for (const marker of text.matchAll(/(?<![^\n])(?:---|\.\.\.)(?=[ \t\r\n]|$)[^\n]*(?:\n|$)/g)) {
    if (marker[0].startsWith('...')) close(marker.index + marker[0].length);
    else if (hasContent(text.slice(start, marker.index))) close(marker.index);
  }
  close(text.length);
  return bounds;
}

/** False for a stretch of blank lines, comments and directives. A marker counts: `---` twice is an empty document. */
function hasContent(text: string): boolean {
  return !/^\uFEFF?(?:[ \t]*(?:#[^\n]*)?\r?(?:\n|$)|%[^\n]*(?:\n|$))*$/.test(text);
}
