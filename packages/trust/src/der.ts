/** The bytes are not DER, or not the structure that was asked for. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** One DER element. `bytes` is the whole element, `content` what its header announces; both are views, not copies. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly bytes: Uint8Array;
}

export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OID: 0x06,
  UTF8_STRING: 0x0c,
  NUMERIC_STRING: 0x12,
  PRINTABLE_STRING: 0x13,
  TELETEX_STRING: 0x14,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  VISIBLE_STRING: 0x1a,
  UNIVERSAL_STRING: 0x1c,
  BMP_STRING: 0x1e,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/**
 * Reads the element that starts at `offset`. Definite lengths and one-byte tags only: a certificate needs no others, and
 * indefinite lengths are BER, which lets two readers see two certificates in the same bytes.
 */
export function readElement(bytes: Uint8Array, offset = 0): DerElement {
  const tag = byteAt(bytes, offset);
  if ((tag & 0x1f) === 0x1f) throw new DerError(`a multi-byte tag at byte ${offset}`);
  let length = byteAt(bytes, offset + 1);
  let start = offset + 2;
  if (length === 0x80) throw new DerError(`an indefinite length at byte ${offset + 1}`);
  if (length > 0x80) {
    const size = length - 0x80;
    if (size > 4) throw new DerError(`a length of ${size} bytes at byte ${offset + 1}`);
    length = 0;
    for (let i = 0; i < size; i++) length = length * 256 + byteAt(bytes, start + i);
    start += size;
  }
  const end = start + length;
  if (end > bytes.length) throw new DerError(`an element at byte ${offset} that is longer than what holds it`);
  return { tag, content: bytes.subarray(start, end), bytes: bytes.subarray(offset, end) };
}

/** The elements of a constructed element, which must fill it exactly. */
export function readChildren(content: Uint8Array): DerElement[] {
  const children: DerElement[] = [];
  for (let offset = 0; offset < content.length; ) {
    const child = readElement(content, offset);
    children.push(child);
    offset += child.bytes.length;
  }
  return children;
}

export function expectTag(element: DerElement | undefined, tag: number, what: string): DerElement {
  if (element === undefined) throw new DerError(`${what} is missing`);
  if (element.tag !== tag) throw new DerError(`${what} has the tag 0x${element.tag.toString(16)}`);
  return element;
}

/** An object identifier in dotted form. Arcs beyond 2^53 are refused. */
export function readOid(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) throw new DerError('an object identifier with an arc beyond 2^53');
    if (byte & 0x80) continue;
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(arc / 40));
      arcs.push(root, arc - root * 40);
    } else arcs.push(arc);
    arc = 0;
  }
  const last = content.at(-1);
  if (last === undefined || last & 0x80) throw new DerError('a truncated object identifier');
  return arcs.join('.');
}

/** UTCTime and GeneralizedTime as RFC 5280 4.1.2.5 has them: seconds present, UTC, two-digit years from 1950 to 2049. */
export function readTime(element: DerElement): Date {
  const text = ascii(element.content);
  const match =
    element.tag === Tag.UTC_TIME
      ? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
      : /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (match === null) throw new DerError('a time that is neither UTCTime nor GeneralizedTime in UTC');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(element.tag === Tag.UTC_TIME ? year + (year < 50 ? 2000 : 1900) : year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  return date;
}

export function ascii(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexPairs[byte];
  return text;
}

function byteAt(bytes: Uint8Array, offset: number): number {
  const byte = bytes[offset];
  if (byte === undefined) throw new DerError(`the data ends at byte ${offset}`);
  return byte;
}
