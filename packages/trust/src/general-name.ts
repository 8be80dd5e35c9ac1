import { ascii, type DerElement, expectTag, hex, readChildren, readElement, readOid, Tag } from './der.ts';
import { readName, readText } from './distinguished-name.ts';

/** One entry of a subject alternative name, typed: `value` is what the entry holds, never a search text of several. */
export interface SubjectAlternativeName {
  readonly type: 'dns' | 'email' | 'uri' | 'ip' | 'directory' | 'registeredId' | 'other';
  readonly value: string;
}

/** GeneralNames (RFC 5280 4.2.1.6): the content of the SEQUENCE. Unknown forms come back as hex under `other`. */
export function readGeneralNames(content: Uint8Array): SubjectAlternativeName[] {
  return readChildren(content).map(readGeneralName);
}

function readGeneralName(name: DerElement): SubjectAlternativeName {
  switch (name.tag) {
    case 0x81:
      return { type: 'email', value: ascii(name.content) };
    case 0x82:
      return { type: 'dns', value: ascii(name.content) };
    case 0x86:
      return { type: 'uri', value: ascii(name.content) };
    case 0x87:
      return readIpAddress(name);
    case 0xa4:
      return { type: 'directory', value: readName(readElement(name.content)).text };
    case 0x88:
      return { type: 'registeredId', value: readOid(name.content) };
    case 0xa0:
      return { type: 'other', value: readOtherName(name.content) };
    default:
      return { type: 'other', value: `#${hex(name.bytes)}` };
  }
}

/** `1.3.6.1.4.1.311.20.2.3:user@example.test`: the type's OID and its text, or the value's bytes when it is no text. */
function readOtherName(content: Uint8Array): string {
  const [type, wrapped] = readChildren(content);
  const oid = readOid(expectTag(type, Tag.OID, 'the type of an otherName').content);
  const value = readElement(expectTag(wrapped, 0xa0, 'the value of an otherName').content);
  return `${oid}:${readText(value) ?? `#${hex(value.bytes)}`}`;
}

/** IPv6 as RFC 5952 writes it, which the URL parser of every runtime does. Other lengths (OpenSSL accepts them) stay hex. */
function readIpAddress(name: DerElement): SubjectAlternativeName {
  const { content } = name;
  if (content.length === 4) return { type: 'ip', value: content.join('.') };
  if (content.length !== 16) return { type: 'other', value: `#${hex(name.bytes)}` };
  const groups = hex(content).match(/.{4}/g) ?? [];
  return { type: 'ip', value: new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1) };
}
