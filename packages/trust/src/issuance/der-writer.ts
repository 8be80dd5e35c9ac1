import { Tag } from '../der.ts';

/** DER bytes of one or more elements. WebCrypto wants a plain ArrayBuffer below them. */
export type Der = Uint8Array<ArrayBuffer>;

/** One element with the given tag around the concatenated parts. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Der {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const header = [tag, ...encodeLength(length)];
  const der = new Uint8Array(header.length + length);
  der.set(header);
  let offset = header.length;
  for (const part of parts) {
    der.set(part, offset);
    offset += part.length;
  }
  return der;
}

export const sequence = (...parts: readonly Uint8Array[]): Der => element(Tag.SEQUENCE, ...parts);

/** SET OF: DER wants its elements in ascending order of their bytes. */
export const setOf = (...parts: readonly Uint8Array[]): Der => element(Tag.SET, ...[...parts].sort(compareBytes));

/** `[number] EXPLICIT`, or `[number] IMPLICIT` over something constructed. */
export const context = (number: number, ...parts: readonly Uint8Array[]): Der => element(0xa0 + number, ...parts);

/** `[number] IMPLICIT` over something primitive. */
export const contextPrimitive = (number: number, content: Uint8Array): Der => element(0x80 + number, content);

/** A non-negative integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Der {
  const first = bytes.findIndex((byte) => byte !== 0);
  const magnitude = first < 0 ? Uint8Array.of(0) : bytes.subarray(first);
  return (magnitude[0] ?? 0) & 0x80
    ? element(Tag.INTEGER, Uint8Array.of(0), magnitude)
    : element(Tag.INTEGER, magnitude);
}

export function smallInteger(value: number): Der {
  return integer(Uint8Array.of((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff));
}

export const boolean = (value: boolean): Der => element(Tag.BOOLEAN, Uint8Array.of(value ? 0xff : 0));
export const octetString = (content: Uint8Array): Der => element(Tag.OCTET_STRING, content);
export const bitString = (content: Uint8Array): Der => element(Tag.BIT_STRING, Uint8Array.of(0), content);
export const utf8String = (text: string): Der => element(Tag.UTF8_STRING, new TextEncoder().encode(text));
export const printableString = (text: string): Der => element(Tag.PRINTABLE_STRING, new TextEncoder().encode(text));
export const ia5String = (text: string): Der => element(Tag.IA5_STRING, asciiBytes(text));
export const nullValue = (): Der => element(0x05);

/** A BIT STRING of named bits (RFC 5280's keyUsage): trailing zero bits are left out, as DER wants. */
export function namedBits(set: readonly number[]): Der {
  const highest = Math.max(-1, ...set);
  const bytes = new Uint8Array((highest >> 3) + 1);
  for (const bit of set) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return element(Tag.BIT_STRING, Uint8Array.of(highest < 0 ? 0 : 7 - (highest & 7)), bytes);
}

export function oid(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift((left % 128) | 0x80);
    return groups;
  });
  return element(Tag.OID, Uint8Array.from(bytes));
}

/** RFC 5280 4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050; whole seconds. */
export function time(date: Date): Der {
  const digits = date.toISOString().replace(/\.\d+Z$|[-:T]/g, '');
  const year = date.getUTCFullYear();
  return year >= 1950 && year < 2050
    ? element(Tag.UTC_TIME, asciiBytes(`${digits.slice(2)}Z`))
    : element(Tag.GENERALIZED_TIME, asciiBytes(`${digits}Z`));
}

export function asciiBytes(text: string): Der {
  return Uint8Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    if (code > 0x7f) throw new TypeError(`"${text}" holds characters outside ASCII, which this field can't carry`);
    return code;
  });
}

function encodeLength(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return [0x80 + bytes.length, ...bytes];
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const shorter = Math.min(left.length, right.length);
  for (let i = 0; i < shorter; i++) if (left[i] !== right[i]) return (left[i] ?? 0) - (right[i] ?? 0);
  return left.length - right.length;
}
