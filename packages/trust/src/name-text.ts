import { attributeTypes } from './distinguished-name.ts';

/** A text that is no distinguished name. The message says where it goes wrong. */
export class NameTextError extends Error {
  override readonly name = 'NameTextError';
}

/**
 * A name in a form in which equal names are equal texts: its RDNs in order, the attributes of each sorted, types by their
 * short names, values as they are (`#` before the hex of one that is no text). Read from text after RFC 4514, so that
 * `CN=a+O=b`, `CN=a,O=b` and `CN=a\,O=b` are three names; white space around separators does not count, case does.
 * @throws NameTextError
 */
export function canonicalName(text: string): string {
  return JSON.stringify(readNameText(text).map((rdn) => rdn.map(({ type, value }) => [type, value]).sort(byJson)));
}

interface TextAttribute {
  readonly type: string;
  /** Unescaped, behind `=`; or the hex of its encoding, behind `#`. */
  readonly value: string;
}

/** The RDNs of a name in the order of the text, which is the reverse of the certificate's. */
export function readNameText(text: string): readonly (readonly TextAttribute[])[] {
  const rdns: TextAttribute[][] = [];
  const reader = new NameReader(text);
  if (reader.atEnd) return rdns;
  for (;;) {
    const rdn = [reader.attribute()];
    while (reader.take('+')) rdn.push(reader.attribute());
    rdns.push(rdn);
    if (reader.atEnd) return rdns;
    if (!reader.take(',')) throw new NameTextError(`"," is missing ${reader.where}`);
  }
}

class NameReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skipSpace();
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  get where(): string {
    return `at character ${this.#at + 1} of ${JSON.stringify(this.#text.slice(0, 200))}`;
  }

  take(separator: string): boolean {
    if (this.#text[this.#at] !== separator) return false;
    this.#at += 1;
    return true;
  }

  attribute(): TextAttribute {
    this.#skipSpace();
    const [type = ''] = /^[A-Za-z][A-Za-z0-9-]*|^\d+(?:\.\d+)+/.exec(this.#text.slice(this.#at, this.#at + 128)) ?? [];
    const known = /^\d/.test(type) ? (attributeTypes.get(type) ?? type) : byLowerCase.get(type.toLowerCase());
    if (type === '') throw new NameTextError(`an attribute such as CN is missing ${this.where}`);
    if (known === undefined) {
      throw new NameTextError(
        `the attribute "${type}" is not known (known: ${[...attributeTypes.values()].join(', ')}, and OIDs) ${this.where}`,
      );
    }
    this.#at += type.length;
    this.#skipSpace();
    if (!this.take('=')) throw new NameTextError(`"=" is missing ${this.where}`);
    this.#skipSpace();
    return { type: known, value: this.#value() };
  }

  #value(): string {
    const hex = /^#((?:[0-9A-Fa-f]{2})+)[ ]*(?=[,+]|$)/.exec(this.#text.slice(this.#at));
    if (hex !== null) {
      this.#at += hex[0].length;
      return `#${hex[1]?.toLowerCase()}`;
    }
    const bytes: number[] = [];
    // White space at the end does not count, unless it is escaped.
    let kept = 0;
    for (; this.#at < this.#text.length; ) {
      const character = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
      if (character === ',' || character === '+') break;
      if (/[";<>\0]/.test(character) || (character === '#' && bytes.length === 0)) {
        throw new NameTextError(`the character ${JSON.stringify(character)} has to be escaped with "\\" ${this.where}`);
      }
      if (character === '\\') {
        bytes.push(...this.#escaped());
        kept = bytes.length;
        continue;
      }
      this.#at += character.length;
      bytes.push(...utf8.encode(character));
      if (character !== ' ') kept = bytes.length;
    }
    try {
      return `=${strict.decode(Uint8Array.from(bytes.slice(0, kept)))}`;
    } catch {
      throw new NameTextError(`the escaped bytes of a value are not UTF-8 ${this.where}`);
    }
  }

  #escaped(): Uint8Array {
    const rest = this.#text.slice(this.#at + 1, this.#at + 3);
    if (/^[0-9A-Fa-f]{2}$/.test(rest)) {
      this.#at += 3;
      return Uint8Array.of(Number.parseInt(rest, 16));
    }
    const [character = ''] = rest;
    if (!/^[ "#+,;<=>\\]$/.test(character)) throw new NameTextError(`"\\" escapes nothing ${this.where}`);
    this.#at += 2;
    return utf8.encode(character);
  }

  #skipSpace(): void {
    while (this.#text[this.#at] === ' ') this.#at += 1;
  }
}

const byLowerCase = new Map([...attributeTypes.values()].map((name) => [name.toLowerCase(), name]));
const utf8 = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function byJson(left: unknown, right: unknown): number {
  return JSON.stringify(left) < JSON.stringify(right) ? -1 : 1;
}
