import { isScalar, type Node } from 'yaml';
import type { TextEdit } from './editable-text.ts';
import { YamlCursor } from './yaml-cursor.ts';
import { contentEnd, lineEnd, nextLine } from './yaml-layout.ts';
import { type ParsedYaml, parseYaml, type YamlPart } from './yaml-part.ts';

/**
 * The YAML document inside a scalar. Edits of a literal block (`|`) become edits of its lines, with its indentation;
 * a scalar in any other style is written anew, in double quotes.
 */
export function nestedPart(cursor: YamlCursor): YamlPart | undefined {
  const { node } = cursor;
  if (!isScalar(node) || typeof node.value !== 'string') return undefined;
  return node.type === 'BLOCK_LITERAL' && !cursor.alias ? literalPart(cursor) : quotedPart(cursor, node.value);
}

interface Line {
  /** Where the line starts in the outer part. */
  readonly start: number;
  /** Where its content starts there, behind the block's indentation. */
  readonly content: number;
  /** Where it starts in the inner text. */
  readonly inner: number;
}

// A scalar's text does not change as long as its node lives, and a file is looked at many times while it is repaired.
const parsed = new WeakMap<Node, ParsedYaml>();

function parseOnce(node: Node, text: string): ParsedYaml {
  const known = parsed.get(node);
  if (known) return known;
  const fresh = parseYaml(text);
  parsed.set(node, fresh);
  return fresh;
}

function literalPart(cursor: YamlCursor): YamlPart {
  const outer = cursor.part;
  const start = cursor.node.range?.[0] ?? 0;
  const end = contentEnd(outer.text, cursor.node);
  const header = outer.text.slice(start, lineEnd(outer.text, start));
  const bodyStart = nextLine(outer.text, start);
  const indent = blockIndent(outer.text.slice(bodyStart, end), header, cursor);

  const lines: Line[] = [];
  let text = '';
  let at = bodyStart;
  for (; at < end; at = nextLine(outer.text, at)) {
    const stop = Math.min(lineEnd(outer.text, at), end);
    const content = Math.min(at + indent, stop);
    lines.push({ start: at, content, inner: text.length });
    text += `${outer.text.slice(content, stop)}\n`;
  }
  lines.push({ start: at, content: at, inner: text.length });

  const outside = (offset: number): number => {
    const line = lines.findLast((each) => each.inner <= offset);
    return line ? line.content + offset - line.inner : bodyStart;
  };
  const place = (edits: readonly TextEdit[]): TextEdit[] =>
    outer.place(
      edits.map((inner) => {
        const first = lines.find((line) => line.inner === inner.start);
        const behind = lines.find((line) => line.inner === inner.end);
        if (inner.text === '' && first && behind) return { start: first.start, end: behind.start, text: '' };
        const replacement = inner.text.replaceAll(/\r?\n(?=[^\r\n])/g, outer.eol + ' '.repeat(indent));
        return { start: outside(inner.start), end: outside(inner.end), text: replacement };
      }),
    );
  return {
    text,
    eol: '\n',
    ...parseOnce(cursor.node, text),
    place,
    offsetInFile: (offset) => outer.offsetInFile(outside(offset)),
  };
}

function blockIndent(body: string, header: string, cursor: YamlCursor): number {
  const explicit = /^[|>][-+]?(\d)|^[|>](\d)/.exec(header);
  const first = /^( *)\S/m.exec(body)?.[1]?.length ?? 0;
  const digits = explicit?.[1] ?? explicit?.[2];
  if (digits === undefined) return first;
  const parentColumn = cursor.parent
    ? cursor.keyOffset - (cursor.part.text.lastIndexOf('\n', cursor.keyOffset - 1) + 1)
    : 0;
  return parentColumn + Number(digits);
}

function quotedPart(cursor: YamlCursor, text: string): YamlPart {
  const outer = cursor.part;
  const [start, end] = cursor.alias?.range ?? [cursor.node.range?.[0] ?? 0, contentEnd(outer.text, cursor.node)];
  const place = (edits: readonly TextEdit[]): TextEdit[] => {
    let result = text;
    for (const inner of [...edits].sort((a, b) => b.start - a.start)) {
      result = result.slice(0, inner.start) + inner.text + result.slice(inner.end);
    }
    return edits.length === 0 ? [] : outer.place([{ start, end, text: JSON.stringify(result) }]);
  };
  return { text, eol: '\n', ...parseOnce(cursor.node, text), place, offsetInFile: () => outer.offsetInFile(start) };
}

/** The root of the YAML inside a scalar, or undefined when it holds none. */
export function nestedRoot(cursor: YamlCursor): YamlCursor | undefined {
  const part = nestedPart(cursor);
  return part && YamlCursor.root(part);
}
