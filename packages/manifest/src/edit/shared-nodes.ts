import { isAlias, isCollection, isNode, type Node, visit } from 'yaml';
import type { PartEdit } from './text-part.ts';
import type { YamlCursor } from './yaml-cursor.ts';
import { addPair, addWrittenPair, edit, inFlow } from './yaml-edits.ts';
import { flowText } from './yaml-emit.ts';
import { blockStyle, column, contentEnd } from './yaml-layout.ts';
import { aliasesOf, type YamlPart } from './yaml-part.ts';
import { quotingAround } from './yaml-quoting.ts';

export interface Separation {
  readonly edits: PartEdit[];
  readonly what: string;
  readonly at: YamlCursor;
}

/**
 * How to give a place text of its own when it shares it with others through an anchor, an alias or a merge key.
 * Undefined when nothing is shared. One call dissolves one link: ask again after applying it.
 */
export function separate(cursor: YamlCursor): Separation | undefined {
  const at = cursor.shared();
  if (!at) return undefined;
  if (at.reached === 'merge') return writeOutMerged(at);
  if (at.alias) return writeOutAlias(at);
  return passAnchorOn(at);
}

/** `env: *common` becomes the list itself. */
function writeOutAlias(at: YamlCursor): Separation {
  const { alias } = at;
  const [start, end] = [alias?.range?.[0] ?? 0, alias?.range?.[1] ?? 0];
  return {
    at,
    what: `wrote out the alias *${alias?.source ?? ''}, so that what it stands for elsewhere stays as it is`,
    edits: [copyInto(at, start, end, '')],
  };
}

/** The text of an aliased node, laid out for the place of the alias; `anchor` is put in front when it moves there. */
function copyInto(at: YamlCursor, start: number, end: number, anchor: string): PartEdit {
  const { part, node } = at;
  const label = anchor ? `&${anchor} ` : '';
  if (!isCollection(node))
    return edit(part, start, end, label + part.text.slice(node.range?.[0] ?? 0, contentEnd(part.text, node)));
  if (node.flow || inFlow(at)) {
    return edit(part, start, end, label + flowCopy(at, node));
  }
  const lines = writtenLines(part, node);
  if (at.link.kind === 'item' && !anchor) {
    return edit(part, start, end, shift(lines, column(part.text, start), part).trimStart());
  }
  const style = blockStyle(at);
  const parentColumn =
    at.link.kind === 'item' ? column(part.text, start) - style.step : column(part.text, at.keyOffset);
  const deeper = at.map || style.indentSequences || at.link.kind === 'item' ? style.step : 0;
  const before = part.text.slice(0, start).trimEnd().length;
  const lead = anchor ? ` &${anchor}` : '';
  return edit(part, before, end, `${lead}${part.eol}${shift(lines, parentColumn + deeper, part)}`);
}

/** A node for a place in flow style: as it is written where that is one line, written anew otherwise. */
function flowCopy(at: YamlCursor, node: Node): string {
  const [line, another] = isCollection(node) && node.flow ? writtenLines(at.part, node) : [];
  if (line !== undefined && another === undefined && !/[*#]/.test(line)) return line;
  return flowText(node.toJS(at.part.document), quotingAround(at.parent ?? at));
}

/** A key that comes from `<<: *base` is written into the map itself, where it wins over the merged one. */
function writeOutMerged(at: YamlCursor): Separation {
  const { part, node, parent, link } = at;
  if (!parent || link.kind !== 'pair') throw new RangeError('a merged value always has a map and a key');
  const block = isCollection(node) && !node.flow && !parent.flow && !inFlow(parent);
  const written = block
    ? addWrittenPair(parent, link.key, writtenLines(part, node), Boolean(at.map) || blockStyle(parent).indentSequences)
    : addPair(parent, link.key, at.json);
  return {
    at,
    edits: [written],
    what: `wrote out the merged key "${link.key}", so that the map it comes from stays as it is`,
  };
}

/** A place whose anchor others refer to gives the anchor, and its present text, to the first alias behind it. */
function passAnchorOn(at: YamlCursor): Separation {
  const { part, node } = at;
  const anchor = node.anchor ?? '';
  const first = aliasesOf(part.document, node)[0] ?? 0;
  const user = cursorAtAlias(at, first);
  const end = first + anchor.length + 1;
  // An alias behind a merge key (`<<: *base`) has no place of its own: it takes the map in flow style.
  const taken = user ? copyInto(user, first, end, anchor) : edit(part, first, end, `&${anchor} ${flowCopy(at, node)}`);
  return {
    at,
    edits: [dropAnchor(part, node), taken],
    what: `moved the anchor &${anchor} to the place that refers to it, which keeps its value`,
  };
}

function dropAnchor(part: YamlPart, node: Node): PartEdit {
  const start = node.range?.[0] ?? 0;
  const anchor = `&${node.anchor ?? ''}`;
  const at = part.text.lastIndexOf(anchor, start);
  const after = at + anchor.length;
  const gap = /^[ \t]*/.exec(part.text.slice(after))?.[0].length ?? 0;
  const endsLine = /^[ \t]*(?:\r?\n|#)/.test(part.text.slice(after));
  const before = endsLine ? part.text.slice(0, at).trimEnd().length : at;
  return edit(part, before, endsLine ? after : after + gap, '');
}

/** The place of the alias at an offset, found from the root. */
function cursorAtAlias(from: YamlCursor, offset: number): YamlCursor | undefined {
  const search = (cursor: YamlCursor): YamlCursor | undefined => {
    if (cursor.alias) return cursor.alias.range?.[0] === offset ? cursor : undefined;
    for (const child of cursor.map ? cursor.entries() : cursor.items()) {
      const found = search(child);
      if (found) return found;
    }
    return undefined;
  };
  const root = from.chain()[0];
  return root && search(root);
}

/** The lines of a block node from column 0, anchors inside left out: a second definition would capture later aliases. */
export function writtenLines(part: YamlPart, node: Node): string[] {
  const start = node.range?.[0] ?? 0;
  const end = contentEnd(part.text, node);
  const anchors: [number, number][] = [];
  visit(node, (_, inner) => {
    if (!inner || isAlias(inner) || inner === node || !isNode(inner) || !inner.anchor) return;
    const hole = dropAnchor(part, inner);
    if (hole.start >= start) anchors.push([hole.start, hole.end]);
  });
  let text = '';
  let at = start;
  for (const [from, to] of anchors.sort((a, b) => a[0] - b[0])) {
    text += part.text.slice(at, from);
    at = to;
  }
  text += part.text.slice(at, end);
  return outdent(text.split(/\r?\n/), column(part.text, start));
}

function outdent(lines: readonly string[], by: number): string[] {
  return lines.map((line, index) =>
    index === 0 ? line : line.slice(Math.min(by, line.length - line.trimStart().length)),
  );
}

function shift(lines: readonly string[], by: number, part: YamlPart): string {
  return lines.map((line) => (line === '' ? line : ' '.repeat(by) + line)).join(part.eol);
}
