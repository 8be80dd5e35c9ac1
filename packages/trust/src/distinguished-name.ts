import { ascii, type DerElement, DerError, expectTag, hex, readChildren, readOid, Tag } from './der.ts';

/** One attribute of a name: `type` is a short name (`CN`) or a dotted OID, `value` the text as it stands, unescaped. */
export interface NameAttribute {
  readonly type: string;
  readonly value: string;
}

export interface DistinguishedName {
  /** One line after RFC 4514, with a space behind the comma: `CN=Client, O=Example ORG`. Escaped, so never ambiguous. */
  readonly text: string;
  readonly attributes: readonly NameAttribute[];
}

const shortNames: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'title',
  '2.5.4.42': 'GN',
  '2.5.4.97': 'organizationIdentifier',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
};

/** The attribute types that have a short name, as RFC 4514 and OpenSSL write it, by OID. */
export const attributeTypes: ReadonlyMap<string, string> = new Map(Object.entries(shortNames));

/** Reads a Name (RFC 5280 4.1.2.4). The last RDN comes first, as RFC 4514 writes it. */
export function readName(name: DerElement): DistinguishedName {
  const attributes: NameAttribute[] = [];
  const rdns: string[] = [];
  for (const rdn of readChildren(expectTag(name, Tag.SEQUENCE, 'a name').content)) {
    const parts: string[] = [];
    for (const pair of readChildren(expectTag(rdn, Tag.SET, 'a relative distinguished name').content)) {
      const [typeElement, valueElement] = readChildren(expectTag(pair, Tag.SEQUENCE, 'a name attribute').content);
      const oid = readOid(expectTag(typeElement, Tag.OID, 'the type of a name attribute').content);
      if (valueElement === undefined) throw new DerError('a name attribute without a value');
      const type = shortNames[oid] ?? oid;
      const text = readText(valueElement);
      const encoded = `#${hex(valueElement.bytes)}`;
      attributes.push({ type, value: text ?? encoded });
      parts.push(`${type}=${type === oid || text === null ? encoded : escapeValue(text)}`);
    }
    rdns.push(parts.join('+'));
  }
  return { text: rdns.reverse().join(', '), attributes };
}

/** The text of a directory string, null when the element is of another type or does not decode. */
export function readText({ tag, content }: DerElement): string | null {
  switch (tag) {
    case Tag.UTF8_STRING:
      return decode(utf8, content);
    case Tag.BMP_STRING:
      return content.length % 2 === 0 ? decode(utf16, content) : null;
    case Tag.UNIVERSAL_STRING:
      return readUtf32(content);
    case Tag.PRINTABLE_STRING:
    case Tag.NUMERIC_STRING:
    case Tag.IA5_STRING:
    case Tag.VISIBLE_STRING:
    case Tag.TELETEX_STRING:
      return ascii(content);
    default:
      return null;
  }
}

/**
 * RFC 4514 2.4, and more: control, format and unassigned characters are written as hex pairs.
 * Otherwise a client could name itself `X\nadmitted` or turn the line around with a bidi override in somebody's log.
 */
export function escapeValue(value: string): string {
  return value.replace(/^[ #]| $|["+,;<>\\=]/g, '\\$&').replace(/[\p{C}\p{Zl}\p{Zp}]/gu, hexPairs);
}

function hexPairs(character: string): string {
  return [...new TextEncoder().encode(character)].map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('');
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf16 = new TextDecoder('utf-16be', { fatal: true, ignoreBOM: true });

function decode(decoder: TextDecoder, content: Uint8Array): string | null {
  try {
    return decoder.decode(content);
  } catch {
    return null; // not that encoding: the caller shows the bytes
  }
}

function readUtf32(content: Uint8Array): string | null {
  if (content.length % 4 !== 0) return null;
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  let text = '';
  for (let i = 0; i < content.length; i += 4) {
    const point = view.getUint32(i);
    if (point > 0x10ffff) return null;
    text += String.fromCodePoint(point);
  }
  return text;
}
