import { isAlias, isMap, isScalar, isSeq, type Node, type Pair } from 'yaml';
import type { YamlCursor } from './yaml-cursor.ts';
import type { BlockStyle } from './yaml-emit.ts';

export function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

/** The end of the line, before its line end. */
export function lineEnd(text: string, offset: number): number {
  const newline = text.indexOf('\n', offset);
  if (newline === -1) return text.length;
  return newline > offset && text[newline - 1] === '\r' ? newline - 1 : newline;
}

export function nextLine(text: string, offset: number): number {
  const newline = text.indexOf('\n', offset);
  return newline === -1 ? text.length : newline + 1;
}

export function column(text: string, offset: number): number {
  return offset - lineStart(text, offset) - (text.startsWith('\uFEFF') && lineStart(text, offset) === 0 ? 1 : 0);
}

/** Where the content of a node ends: behind its last character, before trailing comments and line ends. */
export function contentEnd(text: string, node: Node): number {
  const end = node.range?.[1] ?? 0;
  if (isAlias(node)) return end;
  if (isScalar(node)) return isBlockScalar(node) ? blockScalarEnd(text, node.range?.[0] ?? 0, end) : end;
  if ((isMap(node) || isSeq(node)) && !node.flow) {
    const last = node.items.at(-1);
    if (isMap(node) && last) return pairEnd(text, last as Pair);
    if (last) return contentEnd(text, last as Node);
  }
  return end;
}

export function pairEnd(text: string, pair: Pair): number {
  return contentEnd(text, (pair.value ?? pair.key) as Node);
}

export function isBlockScalar(node: Node): boolean {
  return isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED');
}

/** Blank lines behind a block scalar belong to it only when it says so (`|+`). */
function blockScalarEnd(text: string, start: number, end: number): number {
  const header = text.slice(start, lineEnd(text, start));
  const body = text.slice(0, end);
  return /^[|>]\d?\+/.test(header) ? body.replace(/\r?\n$/, '').length : Math.max(body.trimEnd().length, start + 1);
}

/** The offset of the dash of a block sequence's item. */
export function dashOf(sequence: YamlCursor, item: YamlCursor): number {
  const { text } = sequence.part;
  const indent = column(text, sequence.node.range?.[0] ?? 0);
  const first = sequence.node.range?.[0] ?? 0;
  if (item.link.kind === 'item' && item.link.index === 0) return first;
  let line = lineStart(text, item.offset);
  while (line > first && !/^-(?:\s|$)/.test(text.slice(line + indent, line + indent + 2)))
    line = lineStart(text, line - 1);
  return line + indent;
}

/** How the document around a place lays out its blocks, learnt from the collections on the way there and below. */
export function blockStyle(cursor: YamlCursor): BlockStyle {
  const { text } = cursor.part;
  const root = cursor.chain()[0] ?? cursor;
  const style = { step: 0, sequence: -1 };
  learn(text, root, style, 0);
  return { step: style.step || 2, indentSequences: style.sequence > 0 };
}

function learn(text: string, cursor: YamlCursor, style: { step: number; sequence: number }, depth: number): void {
  if (depth > 12 || (style.step > 0 && style.sequence >= 0)) return;
  const { map, seq } = cursor;
  if (cursor.flow || cursor.reached !== 'own') return;
  for (const entry of map ? cursor.entries() : cursor.items()) {
    if (map && !entry.flow && entry.reached === 'own' && (entry.map || entry.seq)) {
      const difference = column(text, entry.node.range?.[0] ?? 0) - column(text, entry.keyOffset);
      if (entry.map && style.step === 0) style.step = Math.max(difference, 0);
      if (entry.seq && style.sequence < 0) style.sequence = Math.max(difference, 0);
    }
    if (seq || map) learn(text, entry, style, depth + 1);
  }
}
