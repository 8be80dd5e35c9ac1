import type { Node, Pair, YAMLMap } from 'yaml';
import type { PartEdit } from './text-part.ts';
import type { YamlCursor } from './yaml-cursor.ts';
import { blockLines, flowPair, flowText, scalarText } from './yaml-emit.ts';
import { blockStyle, column, contentEnd, dashOf, lineEnd, lineStart, nextLine, pairEnd } from './yaml-layout.ts';
import type { YamlPart } from './yaml-part.ts';
import { quotingAround, type ScalarStyle, styleOf } from './yaml-quoting.ts';

// Every function returns the text edit that makes the change and leaves all other characters alone. The place must be
// written where it is read: callers dissolve aliases first (shared-nodes.ts).

/** Gives a scalar (or whatever stands there) a new scalar value, in the quotes that it has. */
export function setScalar(cursor: YamlCursor, value: string | number | boolean): PartEdit {
  const { part, node } = cursor;
  const { needed } = quotingAround(cursor.parent ?? cursor);
  const text = scalarText(value, quotesOf(cursor), { flow: inFlow(cursor), needed });
  if (cursor.alias?.range) return edit(part, cursor.alias.range[0], cursor.alias.range[1], text);
  const [start, end] = [node.range?.[0] ?? 0, contentEnd(part.text, node)];
  if (start < end) return edit(part, start, end, text);
  const before = /[:\-?]/.test(part.text[start - 1] ?? '') ? ' ' : '';
  const after = part.text[start] === '#' ? ' ' : '';
  return edit(part, start, end, before + text + after);
}

/** Gives a key of a map another name, in the quotes that it has. */
export function renameKey(value: YamlCursor, name: string): PartEdit {
  const key = value.link.kind === 'pair' ? (value.link.pair.key as Node) : undefined;
  if (!key?.range) throw new RangeError('only a key that its own map writes can be renamed');
  return edit(value.part, key.range[0], key.range[1], scalarText(name, styleOf(key) ?? 'plain'));
}

/** Adds a key to a map, behind its last one; `lines` of a block value may be given ready-made. */
export function addPair(map: YamlCursor, key: string, value: unknown): PartEdit {
  const { part } = map;
  const items = map.map?.items ?? [];
  const last = items.at(-1);
  if (!last) return fillEmpty(map, { [key]: value });
  const end = pairEnd(part.text, last as Pair);
  const quoting = quotingAround(map);
  if (map.flow) return appendToFlow(map, end, flowPair(key, value, quoting));
  const indent = column(part.text, map.node.range?.[0] ?? 0);
  const lines = flowLike(map, value)
    ? [flowPair(key, value, quoting)]
    : blockLines({ [key]: value }, blockStyle(map), quoting);
  return afterLine(part, end, indentLines(lines, indent, part));
}

/** Adds an item to a sequence, behind its last one. */
export function addItem(sequence: YamlCursor, value: unknown): PartEdit {
  const { part } = sequence;
  const last = sequence.items().at(-1);
  if (!last) return fillEmpty(sequence, [value]);
  const end = contentEnd(part.text, last.alias ?? last.node);
  if (sequence.flow) return appendToFlow(sequence, end, flowText(value, quotingAround(sequence)));
  return afterLine(part, end, indentLines(itemLines(sequence, value), dashColumn(sequence), part));
}

/** Puts an item in front of another. */
export function addItemBefore(sequence: YamlCursor, item: YamlCursor, value: unknown): PartEdit {
  const { part } = sequence;
  if (sequence.flow) {
    const start = item.offset;
    const gap = flowGap(sequence);
    return edit(part, start, start, `${flowText(value, quotingAround(sequence))},${gap}`);
  }
  const dash = dashOf(sequence, item);
  const lines = indentLines(itemLines(sequence, value), dashColumn(sequence), part);
  return edit(part, dash, dash, `${lines.trimStart()}${part.eol}${' '.repeat(dashColumn(sequence))}`);
}

/** Adds items that are already written out as block text, the first line's dash at column 0. */
export function addWrittenItems(sequence: YamlCursor, written: readonly string[]): PartEdit {
  const { part } = sequence;
  const last = sequence.items().at(-1);
  const end = last ? contentEnd(part.text, last.alias ?? last.node) : contentEnd(part.text, sequence.node);
  return afterLine(part, end, indentLines(written, dashColumn(sequence), part));
}

/** Adds a key whose block value is already written out, the first line at column 0. */
export function addWrittenPair(map: YamlCursor, key: string, written: readonly string[], deeper: boolean): PartEdit {
  const { part } = map;
  const indent = column(part.text, map.node.range?.[0] ?? 0);
  const last = map.map?.items.at(-1);
  const end = last ? pairEnd(part.text, last as Pair) : contentEnd(part.text, map.node);
  const inner = deeper ? blockStyle(map).step : 0;
  const lines = [`${key}:`, ...written.map((line) => (line === '' ? line : ' '.repeat(inner) + line))];
  return afterLine(part, end, indentLines(lines, indent, part));
}

/** Takes a key and its value out of its map, with the lines they stand on. */
export function removePair(value: YamlCursor): PartEdit {
  const { part, parent, link } = value;
  const items = (parent?.map as YAMLMap<Node, Node> | undefined)?.items ?? [];
  const index = link.kind === 'pair' ? items.indexOf(link.pair as Pair<Node, Node>) : -1;
  const pair = items[index];
  if (!parent || !pair) throw new RangeError('only a value that its own map writes can be removed');
  const start = value.keyOffset;
  const end = pairEnd(part.text, pair);
  if (items.length === 1) return edit(part, parent.node.range?.[0] ?? start, contentEnd(part.text, parent.node), '{}');
  if (parent.flow)
    return removeFromFlow(
      part,
      items.map((item) => [item.key.range?.[0] ?? 0, pairEnd(part.text, item)]),
      index,
    );
  const next = items[index + 1];
  const sharesLine = part.text.slice(lineStart(part.text, start), start).trim() !== '';
  if (sharesLine && next) return edit(part, start, next.key.range?.[0] ?? end, '');
  return edit(part, lineStart(part.text, start), nextLine(part.text, end), '');
}

/** Takes an item out of its sequence, with the lines it stands on. */
export function removeItem(item: YamlCursor): PartEdit {
  const { part, parent, link } = item;
  if (!parent?.seq || link.kind !== 'item') throw new RangeError('only an item of a sequence can be removed');
  const siblings = parent.items();
  if (siblings.length === 1) return edit(part, parent.node.range?.[0] ?? 0, contentEnd(part.text, parent.node), '[]');
  const bounds = siblings.map((each): [number, number] => [
    each.offset,
    contentEnd(part.text, each.alias ?? each.node),
  ]);
  if (parent.flow) return removeFromFlow(part, bounds, link.index);
  const end = bounds[link.index]?.[1] ?? 0;
  const dash = dashOf(parent, item);
  const next = siblings[link.index + 1];
  const sharesLine = part.text.slice(lineStart(part.text, dash), dash).trim() !== '';
  if (sharesLine && next) return edit(part, dash, dashOf(parent, next), '');
  return edit(part, lineStart(part.text, dash), nextLine(part.text, end), '');
}

export function edit(part: YamlPart, start: number, end: number, text: string): PartEdit {
  return { part, start, end, text };
}

/** The column at which a sequence's dashes stand. */
export function dashColumn(sequence: YamlCursor): number {
  return column(sequence.part.text, sequence.node.range?.[0] ?? 0);
}

export function indentLines(lines: readonly string[], indent: number, part: YamlPart): string {
  return lines.map((line) => (line === '' ? line : ' '.repeat(indent) + line)).join(part.eol);
}

/** Whether a place stands inside a flow collection (`{}`, `[]`), where block text is not allowed. */
export function inFlow(cursor: YamlCursor): boolean {
  return cursor.chain().some((step) => step !== cursor && step.flow);
}

/** Inserts whole lines below the line on which `offset` lies. */
function afterLine(part: YamlPart, offset: number, lines: string): PartEdit {
  const end = lineEnd(part.text, offset);
  return edit(part, end, end, part.eol + lines);
}

function itemLines(sequence: YamlCursor, value: unknown): string[] {
  const quoting = quotingAround(sequence);
  // Items that have a line each, as in `- {name: a, value: b}`, get another one of their kind.
  const maps = sequence.items().filter((item) => item.map);
  if (maps.length > 0 && maps.every((item) => item.flow)) return [`- ${flowText(value, quoting)}`];
  return blockLines([value], { ...blockStyle(sequence), indentSequences: false }, quoting);
}

/** `env:`, `env: []` and `env: {}` get their first content: in flow where they stand in flow, as a block otherwise. */
function fillEmpty(cursor: YamlCursor, value: unknown): PartEdit {
  const { part, node, parent } = cursor;
  const start = node.range?.[0] ?? 0;
  const end = Math.max(node.range?.[1] ?? start, start);
  const glue = part.text[start - 1] === ' ' || start === 0 ? '' : ' ';
  const hasTail = part.text.slice(end, lineEnd(part.text, end)).trim() !== '';
  const quoting = quotingAround(parent ?? cursor);
  if (inFlow(cursor) || !parent?.map || (hasTail && end > start))
    return edit(part, start, end, glue + flowText(value, quoting));
  const style = blockStyle(cursor);
  const keyColumn = column(part.text, cursor.keyOffset);
  const deeper = !Array.isArray(value) || style.indentSequences ? style.step : 0;
  const lines = indentLines(blockLines(value, style, quoting), keyColumn + deeper, part);
  const from = end > start ? part.text.slice(0, start).trimEnd().length : lineEnd(part.text, start);
  return edit(part, from, end > start ? end : from, part.eol + lines);
}

function removeFromFlow(part: YamlPart, bounds: readonly (readonly [number, number])[], index: number): PartEdit {
  const [start, end] = bounds[index] ?? [0, 0];
  const next = bounds[index + 1];
  const previous = bounds[index - 1];
  const around =
    part.text.slice(previous?.[1] ?? start, start) + part.text.slice(end, next?.[0] ?? lineEnd(part.text, end));
  const alone =
    part.text.slice(lineStart(part.text, start), start).trim() === '' &&
    /^[ \t]*,?[ \t]*(?:#.*)?$/.test(part.text.slice(end, lineEnd(part.text, end)));
  // The comments of its neighbours stay; YAML takes a comma behind the last element.
  if (alone && around.includes('#')) return edit(part, lineStart(part.text, start), nextLine(part.text, end), '');
  if (next) return edit(part, start, next[0], '');
  return edit(part, previous?.[1] ?? start, end, '');
}

/** Adds an element behind the last one, which ends at `end`: on a line of its own where the elements have such, and behind a comment on the last one. */
function appendToFlow(collection: YamlCursor, end: number, element: string): PartEdit {
  const { part } = collection;
  const gap = flowGap(collection);
  const line = lineEnd(part.text, end);
  const [, comma = '', comment = ''] = /^([ \t]*,)?([ \t]*#.*)$/.exec(part.text.slice(end, line)) ?? [];
  const commaBelow = /^(?:\s|#.*)*,/.test(part.text.slice(line));
  if (comment === '' || commaBelow) return edit(part, end, end, `,${gap}${element}`);
  const first = collection.map ? collection.entries()[0]?.keyOffset : collection.items()[0]?.offset;
  const below = gap.trim() === '' && gap.includes('\n') ? gap : part.eol + ' '.repeat(column(part.text, first ?? end));
  return comma === ''
    ? edit(part, end, line, `,${comment}${below}${element}`)
    : edit(part, line, line, `${below}${element},`);
}

function flowGap(collection: YamlCursor): string {
  const { part } = collection;
  const first = collection.map ? collection.entries()[0]?.keyOffset : collection.items()[0]?.offset;
  if (first === undefined) return ' ';
  const indent = part.text.slice(lineStart(part.text, first), first);
  return indent.trim() === '' && lineStart(part.text, first) > (collection.node.range?.[0] ?? 0)
    ? part.eol + indent
    : quotingAround(collection).compact
      ? ''
      : ' ';
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** Whether a map writes its other values of this kind in flow style: lists of maps, or maps. */
function flowLike(map: YamlCursor, value: unknown): boolean {
  const alike = map
    .entries()
    .filter((entry) =>
      Array.isArray(value)
        ? entry.items().some((item) => Boolean(item.map) === isRecord(value[0]))
        : entry.map !== undefined,
    );
  return typeof value === 'object' && value !== null && alike.length > 0 && alike.every((entry) => entry.flow);
}

/** The quotes that a scalar has. JSON has no text without: what was `true` or `null` there gets them. */
function quotesOf(cursor: YamlCursor): ScalarStyle {
  const own = styleOf(cursor.node) ?? 'plain';
  if (own !== 'plain' || !inFlow(cursor) || !cursor.parent) return own;
  return quotingAround(cursor.parent).keys === 'double' ? 'double' : own;
}
