import { stringify } from 'yaml';

/** How a file lays out block collections. */
export interface BlockStyle {
  /** Spaces per level. */
  readonly step: number;
  /** Whether `- ` stands deeper than the key above it. */
  readonly indentSequences: boolean;
}

/** The lines of a value in block style. Strings that YAML 1.1 would read as something else (`yes`, `0400`) are quoted. */
export function blockLines(value: unknown, style: BlockStyle): string[] {
  const text = stringify(value, {
    indent: style.step,
    indentSeq: style.indentSequences,
    lineWidth: 0,
    compat: 'yaml-1.1',
    aliasDuplicateObjects: false,
  });
  return text.replace(/\n$/, '').split('\n').map(explainMode);
}

/** A value on one line, in JSON, which every YAML flow collection takes. */
export function flowText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flowText).join(', ')}]`;
  if (value && typeof value === 'object') {
    const pairs = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${flowText(item)}`);
    return `{${pairs.join(', ')}}`;
  }
  return JSON.stringify(value);
}

export type ScalarStyle = 'plain' | 'single' | 'double';

/** A scalar on one line, quoted as asked, or more where the value needs it. */
export function scalarText(value: string | number | boolean, style: ScalarStyle): string {
  if (typeof value !== 'string') return String(value);
  if (style === 'double' || /[\n\r\t]/.test(value)) return JSON.stringify(value);
  if (style === 'single') return `'${value.replaceAll("'", "''")}'`;
  return stringify(value, { lineWidth: 0, compat: 'yaml-1.1' }).trimEnd();
}

/** File modes are octal to people and decimal here (JSON has no octal), so the line says both. */
function explainMode(line: string): string {
  const mode = /^\s*(?:- )?defaultMode: (\d+)$/.exec(line)?.[1];
  return mode ? `${line} # octal ${Number(mode).toString(8).padStart(4, '0')}` : line;
}
