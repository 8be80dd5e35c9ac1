/** One entry of a Secret's `data` or `stringData`. */
export interface SecretValue {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A Secret somewhere in the text, YAML or JSON, by itself or in a list or a manifest. */
export const holdsSecret = (text: string): boolean => /^[\s{,-]*["']?kind["']?\s*:\s*["']?Secret\b/m.test(text);

const BASE64 = /^[A-Za-z0-9+/]{40,}={0,2}$/;
/** `name: value`, in a line of its own or, as `{name: value, ...}`, in the middle of one. */
const ON_ONE_LINE = /["']?([\w.-]+)["']?\s*:\s*["']?([A-Za-z0-9+/]{40,}={0,2})["']?(?=\s*(?:[,}#]|$))/gm;
const BLOCK = /^([ \t]*)(?:- )?["']?([\w.-]+)["']?\s*:\s*[|>][-+\d]*[ \t]*(?:#.*)?\r?$/gm;
/** JSON writes a PEM text of stringData in one line. */
const JSON_TEXT = /"([\w.-]+)"\s*:\s*"(-----BEGIN [^"]*)"/g;

/**
 * The values that may be files of certificates or keys: base64 text, decoded, and PEM text as it stands. It reads lines,
 * not YAML: what a template engine has yet to fill in is passed over, and everything else is found.
 */
export function secretValues(text: string): SecretValue[] {
  const lines = text.replaceAll(/^[ \t]*#.*$/gm, '');
  const values: SecretValue[] = [];
  for (const [, name = '', value = ''] of lines.matchAll(ON_ONE_LINE)) values.push({ name, bytes: decoded(value) });
  for (const match of lines.matchAll(BLOCK)) {
    const [whole, indent = '', name = ''] = match;
    const content = blockBelow(lines.slice(match.index + whole.length + 1), indent.length);
    const joined = content.replaceAll(/\s/g, '');
    if (content.includes('-----BEGIN ')) values.push({ name, bytes: Buffer.from(content) });
    else if (BASE64.test(joined)) values.push({ name, bytes: decoded(joined) });
  }
  for (const [, name = '', value = ''] of lines.matchAll(JSON_TEXT)) {
    values.push({ name, bytes: Buffer.from(value.replaceAll('\\n', '\n').replaceAll('\\r', '')) });
  }
  return values;
}

/** A value that was encoded before it was put below `data`: the pod would see base64 where it looks for PEM. */
export function isEncodedTwice(bytes: Buffer): boolean {
  const text = bytes.toString('latin1').replaceAll(/\s/g, '');
  return BASE64.test(text) && decoded(text).includes('-----BEGIN ');
}

const decoded = (base64: string): Buffer => Buffer.from(base64, 'base64');

/** The lines that lie deeper than their name, without their indentation. */
function blockBelow(rest: string, indent: number): string {
  const lines: string[] = [];
  for (const line of rest.split(/\r?\n/)) {
    if (line.trim() !== '' && line.length - line.trimStart().length <= indent) break;
    lines.push(line.trim());
  }
  return `${lines.join('\n')}\n`;
}
