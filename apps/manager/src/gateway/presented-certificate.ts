import type { PresentedCertificate } from '@sallyport/protocol';
import type { CertificateFacts } from '@sallyport/trust';

/** Whoever presents a certificate chooses its names, and may choose thousands. */
const MOST_NAMES = 8;
const LONGEST_NAME = 256;

/** The part of a certificate's facts that is kept with a connection, recorded with a refusal and shown to people. */
export function presentedCertificate(facts: CertificateFacts): PresentedCertificate {
  return {
    subject: facts.subject,
    issuer: facts.issuer,
    serialNumber: facts.serialNumber,
    fingerprint: facts.fingerprint256,
    notBefore: facts.notBefore.getTime(),
    notAfter: facts.notAfter.getTime(),
    names: namesOf(facts),
  };
}

function namesOf({ subjectAttributes, sans }: CertificateFacts): string[] {
  const named = [
    ...subjectAttributes.filter(({ type }) => type === 'CN'),
    ...sans.filter(({ type }) => type === 'dns' || type === 'uri'),
  ].map(({ value }) => value);
  return [...new Set(named)].filter(({ length }) => length > 0 && length <= LONGEST_NAME).slice(0, MOST_NAMES);
}
