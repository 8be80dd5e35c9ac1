import type { CertificateFacts } from './certificate-facts.ts';

const LONGEST_NAME = 256;

/** A name fit for a message or a record: whoever presents a certificate chooses its names, and may choose 60 KB. */
export function shorten(name: string): string {
  return name.length <= LONGEST_NAME ? name : `${name.slice(0, LONGEST_NAME - 1)}…`;
}

/** `"CN=Client, O=Example ORG"`, or the serial number of a certificate without a name. */
export function quoteSubject(certificate: CertificateFacts): string {
  return certificate.subject === ''
    ? `(no name, serial number ${shorten(certificate.serialNumber)})`
    : `"${shorten(certificate.subject)}"`;
}

export function quoteIssuer(certificate: CertificateFacts): string {
  return certificate.issuer === '' ? '(no name)' : `"${shorten(certificate.issuer)}"`;
}

/** The first three subjects in quotes, and how many more there are. */
export function listSubjects(certificates: readonly CertificateFacts[]): string {
  const shown = certificates.slice(0, 3).map(quoteSubject).join(', ');
  return certificates.length > 3 ? `${shown} and ${certificates.length - 3} more` : shown;
}

/** A length of time in its largest whole unit, `47 s` or `12 days`, never less than it is by more than half a unit. */
export function wordDuration(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(Math.abs(milliseconds) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** `2026-11-21T18:45:35Z`; certificates know no milliseconds. */
export function wordDate(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an unreadable date' : date.toISOString().replace('.000Z', 'Z');
}
