import { Document, isMap, isScalar, isSeq, type Node, Scalar, stringify } from 'yaml';
import { plainQuoting, type Quoting, type ScalarStyle } from './yaml-quoting.ts';

/** How a file lays out block collections. */
export interface BlockStyle {
  /** Spaces per level. */
  readonly step: number;
  /** Whether `- ` stands deeper than the key above it. */
  readonly indentSequences: boolean;
}

// YAML 1.1 reads `yes` and `0400` as something else than text: they are quoted.
const readable = { compat: 'yaml-1.1', aliasDuplicateObjects: false } as const;

/** The lines of a value in block style; text gets quotes where it needs them, or where `quoting` has them. */
export function blockLines(value: unknown, style: BlockStyle, quoting: Quoting = plainQuoting): string[] {
  const document = new Document(value, readable);
  dress(document.contents, quoting, false, undefined);
  const text = document.toString({
    indent: style.step,
    indentSeq: style.indentSequences,
    lineWidth: 0,
    singleQuote: quoting.needed === 'single',
  });
  return text.replace(/\n$/, '').split('\n').map(explainMode);
}

/** A value on one line, quoted as `quoting` says: with keys in double quotes it is JSON. */
export function flowText(value: unknown, quoting: Quoting): string {
  if (quoting.compact) return JSON.stringify(value);
  const document = new Document([value], readable);
  dress(document.contents, quoting, true, undefined);
  const text = document.toString({
    lineWidth: 0,
    flowCollectionPadding: quoting.padding,
    singleQuote: quoting.needed === 'single',
  });
  return text.trim().slice(1, -1).trim();
}

/** A key and its value, as an element of a flow map. */
export function flowPair(key: string, value: unknown, quoting: Quoting): string {
  return flowText({ [key]: value }, quoting)
    .slice(1, -1)
    .trim();
}

function dress(node: unknown, quoting: Quoting, flow: boolean, key: string | undefined): void {
  if (isMap(node)) {
    if (flow) node.flow = true;
    for (const pair of node.items) {
      const name = isScalar(pair.key) ? String(pair.key.value) : undefined;
      setStyle(pair.key as Node, quoting.keys);
      dress(pair.value, quoting, flow, name);
    }
  } else if (isSeq(node)) {
    if (flow) node.flow = true;
    for (const item of node.items) dress(item, quoting, flow, key);
  } else setStyle(node, quoting.value(key));
}

function setStyle(node: unknown, style: ScalarStyle): void {
  if (!isScalar(node) || typeof node.value !== 'string' || style === 'plain' || node.value.includes('\n')) return;
  node.type = style === 'double' ? Scalar.QUOTE_DOUBLE : Scalar.QUOTE_SINGLE;
}

/** A scalar on one line, quoted as asked, or more where the value needs it; `flow` inside `{}` and `[]`. */
export function scalarText(
  value: string | number | boolean,
  style: ScalarStyle,
  { flow = false, needed = 'double' }: { flow?: boolean; needed?: 'single' | 'double' } = {},
): string {
  if (typeof value !== 'string') return String(value);
  if (style === 'double' || /[\n\r\t]/.test(value)) return JSON.stringify(value);
  const plain = style === 'plain' && !(flow && /[,[\]{}]/.test(value));
  if (plain) return stringify(value, { lineWidth: 0, compat: 'yaml-1.1', singleQuote: needed === 'single' }).trimEnd();
  return style === 'single' || needed === 'single' ? `'${value.replaceAll("'", "''")}'` : JSON.stringify(value);
}

/** File modes are octal to people and decimal here (JSON has no octal), so the line says both. */
function explainMode(line: string): string {
  const mode = /^\s*(?:- )?defaultMode: (\d+)$/.exec(line)?.[1];
  return mode ? `${line} # octal ${Number(mode).toString(8).padStart(4, '0')}` : line;
}
