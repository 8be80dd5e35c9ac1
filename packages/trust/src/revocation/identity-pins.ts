import type { CertificateFacts } from '../certificate-facts.ts';
import { escapeValue } from '../distinguished-name.ts';
import { ipAddressBytes } from '../issuance/ip-address.ts';
import { canonicalName, NameTextError } from '../name-text.ts';
import { shorten } from '../wording.ts';
import { publicKeyHash } from './public-key-hash.ts';

export const PIN_TYPES = ['DNS', 'URI', 'EMAIL', 'IP', 'SUBJECT', 'SPKI_SHA256', 'CERTIFICATE_SHA256'] as const;
export type PinType = (typeof PIN_TYPES)[number];

/** One identity that clients of an account's CAs may have. A client needs to have one of those listed. */
export interface IdentityPin {
  readonly type: PinType;
  readonly value: string;
}

export const MOST_PINS = 1_000;
const LONGEST_VALUE = 1_024;

export class IdentityPinError extends Error {
  override readonly name = 'IdentityPinError';
}

/**
 * The pin in its one spelling: hashes in lower-case hex, IP addresses after RFC 5952, everything else as it stands.
 * @throws IdentityPinError for a value that no certificate can have.
 */
export function readIdentityPin({ type, value }: IdentityPin): IdentityPin {
  const shown = JSON.stringify(value.slice(0, 200));
  const wrong = (why: string) => new IdentityPinError(`${shown} is no ${nouns[type]}: ${why}`);
  if (value === '' || value.length > LONGEST_VALUE) throw wrong(`give 1 to ${LONGEST_VALUE} characters.`);
  switch (type) {
    case 'SPKI_SHA256':
    case 'CERTIFICATE_SHA256': {
      const digits = value.replaceAll(':', '').toLowerCase();
      if (!/^[0-9a-f]{64}$/.test(digits))
        throw wrong('give the 64 hexadecimal digits of a SHA-256, with or without colons.');
      return { type, value: digits };
    }
    case 'IP': {
      const address = canonicalIp(value);
      if (address === null) throw wrong('give one IPv4 or IPv6 address.');
      return { type, value: address };
    }
    case 'SUBJECT':
      try {
        canonicalName(value);
      } catch (error) {
        if (error instanceof NameTextError)
          throw wrong(`${error.message}. Give it as RFC 4514 writes it, such as CN=edge-1, O=Example.`);
        throw error;
      }
      return { type, value };
    default:
      if (/[^\x20-\x7e]/.test(value)) throw wrong('only printable ASCII can be in such an entry.');
      return { type, value };
  }
}

const nouns: Readonly<Record<PinType, string>> = {
  DNS: 'DNS name',
  URI: 'URI',
  EMAIL: 'e-mail address',
  IP: 'IP address',
  SUBJECT: 'distinguished name',
  SPKI_SHA256: 'SHA-256 of a public key',
  CERTIFICATE_SHA256: 'SHA-256 of a certificate',
};

/** Equal exactly for equal identities of one type; DNS names are equal in any case (RFC 4343, RFC 9525). */
export function pinKey({ type, value }: IdentityPin): string {
  return keyOf(type, type === 'SUBJECT' ? canonicalName(value) : value);
}

/**
 * Every pin key that a certificate satisfies. Each entry of its subject alternative name is taken by its own type and
 * whole value: searched as one text, an entry `x, DNS:admin` would pass for the name `admin`.
 */
export function identityKeys(leaf: CertificateFacts): readonly string[] {
  const keys = leaf.sans.flatMap(({ type, value }) => {
    const pinType = sanTypes[type];
    return pinType === undefined ? [] : [keyOf(pinType, value)];
  });
  // A client without a subject is not the one whose pin is empty: there is no empty pin.
  if (leaf.subject !== '') keys.push(keyOf('SUBJECT', canonicalName(leaf.subject)));
  return [...keys, keyOf('SPKI_SHA256', publicKeyHash(leaf)), keyOf('CERTIFICATE_SHA256', leaf.fingerprint256)];
}

const sanTypes: Readonly<Partial<Record<string, PinType>>> = { dns: 'DNS', uri: 'URI', email: 'EMAIL', ip: 'IP' };

/** Of DNS names only A to Z are folded: with more, a certificate's K of the kelvin sign would pass for the letter. */
function keyOf(type: PinType, value: string): string {
  return `${type} ${type === 'DNS' ? value.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : value}`;
}

function canonicalIp(text: string): string | null {
  try {
    const bytes = ipAddressBytes(text);
    return bytes.length === 4 ? bytes.join('.') : new URL(`http://[${text}]`).hostname.slice(1, -1);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/** The first names of a certificate, for messages. */
export function wordSans({ sans }: Pick<CertificateFacts, 'sans'>): string {
  if (sans.length === 0) return 'no subject alternative name';
  const shown = sans.slice(0, 3).map(({ type, value }) => `${type}:${escapeValue(shorten(value))}`);
  return `${shown.join('; ')}${sans.length > 3 ? ` and ${sans.length - 3} more` : ''}`;
}
