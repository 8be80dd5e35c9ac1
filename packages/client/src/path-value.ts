const PEM_MARK = '-----BEGIN';
/** How DER (a SEQUENCE of more than 127 bytes) and "-----BEGIN" look in base64. */
const ENCODED_START = /^(?:MI[IGHE][A-Za-z0-9+/]{20}|LS0tLS1)/;
const SHORTEST_LINE = 24;

/**
 * True when a text that should be a path is the file's content instead: PEM, its base64, or one line out of it.
 * `"$(cat client.key)"` in a variable makes every message that names "the path" show the key, so whoever shows a path asks
 * here first. A path of ordinary names is never taken for one.
 */
export function holdsFileContent(value: string): boolean {
  const text = value.trim();
  if (text.includes(PEM_MARK) || /[\r\n]/.test(text) || ENCODED_START.test(text)) return true;
  if (text.length < SHORTEST_LINE || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return false;
  return text.endsWith('=') || isMixed(text);
}

/** Base64 changes between small letters, capitals and digits at two of three characters, a name at one of four at most: a third is far from both. */
function isMixed(text: string): boolean {
  if (!/[a-z]/.test(text) || !/[A-Z]/.test(text) || !/[0-9]/.test(text)) return false;
  const changes = text.match(/[a-z](?=[A-Z0-9])|[A-Z](?=[a-z0-9])|[0-9](?=[A-Za-z])/g) ?? [];
  return changes.length > text.length / 3;
}

/** Something wrong with a variable that should name a file. Shows nothing of its value. */
export function contentForPath(variable: string, value: string): { readonly what: string; readonly remedy: string } {
  const isKey = variable.includes('_KEY') || value.includes('PRIVATE KEY');
  const held = isKey ? 'the key itself' : 'the content of the file itself';
  const owned = isKey ? ' that only the user of the delegate can read' : '';
  return {
    what: `${variable} holds ${held}, where a path belongs.`,
    remedy: `Write it into a file${owned}, and set ${variable} to the path of that file.`,
  };
}
