import type { X509Certificate } from 'node:crypto';

/**
 * Whether names, key ids and the signature say that `issuer` made `certificate`. Bookkeeping, never trust: dates, CA flag
 * and path length are not looked at, so a delegate's own leaf passes for an issuer. Total: what OpenSSL can't read is no.
 */
export function hasSigned(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false; // a key of a type that OpenSSL does not know
  }
}
