import { type Der, oid, printableString, sequence, setOf, utf8String } from './der-writer.ts';
import { IssuanceError } from './issuance-error.ts';

/** A subject to write: attributes in the order in which they are encoded, usually from the general to the special. */
export interface SubjectInput {
  readonly country?: string;
  readonly state?: string;
  readonly locality?: string;
  readonly organization?: string;
  readonly organizationalUnit?: string;
  readonly commonName: string;
}

/** RFC 5280's upper bounds, which OpenSSL enforces when it makes a certificate. */
const fields = [
  ['country', '2.5.4.6', 2],
  ['state', '2.5.4.8', 128],
  ['locality', '2.5.4.7', 128],
  ['organization', '2.5.4.10', 64],
  ['organizationalUnit', '2.5.4.11', 64],
  ['commonName', '2.5.4.3', 64],
] as const;

/** @throws IssuanceError INVALID_NAME, with the attribute that is empty, too long, unprintable or no country code. */
export function writeName(subject: SubjectInput): Der {
  const rdns: Der[] = [];
  for (const [field, type, longest] of fields) {
    const value = subject[field];
    if (value === undefined) continue;
    const flaw =
      value.trim() === ''
        ? 'is empty'
        : [...value].length > longest
          ? `has more than ${longest} characters`
          : /[\p{C}\p{Zl}\p{Zp}]/u.test(value)
            ? 'holds control characters'
            : field === 'country' && !/^[A-Za-z]{2}$/.test(value)
              ? 'is not a country code of two letters'
              : null;
    if (flaw !== null) {
      const shown = JSON.stringify(value.slice(0, 140));
      throw new IssuanceError('INVALID_NAME', `The subject's ${field} ${shown} ${flaw}. Give another one.`);
    }
    rdns.push(setOf(sequence(oid(type), field === 'country' ? printableString(value) : utf8String(value))));
  }
  return sequence(...rdns);
}
