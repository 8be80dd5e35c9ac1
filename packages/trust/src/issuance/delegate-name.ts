import type { SubjectAlternativeName } from '../general-name.ts';
import { IssuanceError } from './issuance-error.ts';

const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const dnsName = new RegExp(`^${label}(?:\\.${label})*$`);

/** A DNS name that could be somebody's host: labels of letters, digits and hyphens, not all digits as in an IP address. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && dnsName.test(text) && !/^[0-9.]+$/.test(text);
}

/**
 * How a certificate names a delegate: as a dNSName where the name is one, else as a URN. Case is kept.
 * @throws IssuanceError INVALID_NAME for an empty or over-long name, or one with control characters.
 */
export function delegateSan(name: string): SubjectAlternativeName {
  if (name.trim() === '' || [...name].length > 64 || /[\p{C}\p{Zl}\p{Zp}]/u.test(name)) {
    throw new IssuanceError(
      'INVALID_NAME',
      `The delegate name ${JSON.stringify(name.slice(0, 80))} is empty, longer than 64 characters or holds control characters. Use the delegate's name as it is registered.`,
    );
  }
  if (isDnsName(name)) return { type: 'dns', value: name };
  return { type: 'uri', value: `urn:sallyport:delegate:${encodeURIComponent(name)}` };
}
