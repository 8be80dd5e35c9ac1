import type { X509Certificate } from 'node:crypto';
import type { CertificateFacts } from './certificate-facts.ts';
import { DerError } from './der.ts';
import { readCertificate } from './read-certificate.ts';

/**
 * What a certificate says about itself; nothing of it is verified. Total: a certificate that OpenSSL parses but that is
 * not DER gets `malformed` facts, which no verdict admits. It costs some 50 µs: keep the result by `fingerprint256`.
 */
export function describeCertificate(certificate: X509Certificate): CertificateFacts {
  const fingerprint256 = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  try {
    return readCertificate(certificate.raw, fingerprint256);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return describeMalformed(certificate, fingerprint256, error.message);
  }
}

function describeMalformed(certificate: X509Certificate, fingerprint256: string, malformed: string): CertificateFacts {
  return {
    version: 3,
    subject: oneLine(certificate.subject),
    subjectAttributes: [],
    issuer: oneLine(certificate.issuer),
    issuerAttributes: [],
    serialNumber: certificate.serialNumber,
    fingerprint256,
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    isCa: certificate.ca,
    pathLength: null,
    keyUsage: null,
    purposes: certificate.keyUsage ?? null,
    sans: [],
    hasNameConstraints: false,
    selfSigned: false,
    keyAlgorithm: 'unknown',
    signatureAlgorithm: 'unknown',
    subjectKeyId: null,
    authorityKeyId: null,
    publicKey: '',
    unknownCriticalExtensions: [],
    malformed,
  };
}

/** OpenSSL writes one attribute a line and escapes line breaks inside the values. */
function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').reverse().join(', ');
}
