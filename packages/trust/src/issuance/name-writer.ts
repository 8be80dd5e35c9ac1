import { type Der, oid, printableString, sequence, setOf, utf8String } from './der-writer.ts';

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

/** @throws TypeError that names the attribute which is empty, too long or, for a country, not two letters. */
export function writeName(subject: SubjectInput): Der {
  const rdns: Der[] = [];
  for (const [field, type, longest] of fields) {
    const value = subject[field];
    if (value === undefined) continue;
    if (value.trim() === '') throw new TypeError(`the subject's ${field} is empty`);
    if ([...value].length > longest)
      throw new TypeError(`the subject's ${field} has more than ${longest} characters: "${value}"`);
    if (field === 'country' && !/^[A-Za-z]{2}$/.test(value))
      throw new TypeError(`the country "${value}" is not two letters`);
    rdns.push(setOf(sequence(oid(type), field === 'country' ? printableString(value) : utf8String(value))));
  }
  return sequence(...rdns);
}
