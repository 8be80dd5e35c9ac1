import type { PresentedCertificate } from '@sallyport/protocol';
import type { CertificateFacts } from '@sallyport/trust';

/** The part of a certificate's facts that is kept with a connection, recorded with a refusal and shown to people. */
export function presentedCertificate(facts: CertificateFacts): PresentedCertificate {
  return {
    subject: facts.subject,
    issuer: facts.issuer,
    serialNumber: facts.serialNumber,
    fingerprint: facts.fingerprint256,
    notBefore: facts.notBefore.getTime(),
    notAfter: facts.notAfter.getTime(),
  };
}
