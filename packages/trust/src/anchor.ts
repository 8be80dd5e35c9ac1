import { X509Certificate } from 'node:crypto';
import type { CaAuthority } from './ca-authority.ts';
import { hasSigned } from './issuer-signature.ts';

/** Signature checks per call: a client chooses the chain it sends, and each check costs up to 50 µs. */
const MOST_SIGNATURE_CHECKS = 128;

const parsedAuthorities = new WeakMap<CaAuthority, X509Certificate>();

/**
 * Which CA of the bundle an admitted leaf comes from: its fingerprint, null when none is found. Bookkeeping, never trust:
 * ask only after OpenSSL has verified the leaf under this bundle (dates, CA flags and path lengths are not looked at).
 * Names and key ids select, a signature decides, so two CAs with one name and two keys are told apart. The shortest path
 * wins. Keep the answer by the leaf's fingerprint and the bundle.
 */
export function findAnchor(
  leaf: X509Certificate,
  chainSent: readonly X509Certificate[],
  authorities: readonly CaAuthority[],
): string | null {
  let checks = MOST_SIGNATURE_CHECKS;
  const issued = (issuer: X509Certificate, certificate: X509Certificate): boolean =>
    certificate.checkIssued(issuer) && checks-- > 0 && hasSigned(issuer, certificate);

  // Breadth first from the leaf; a sent certificate is taken once, so loops and bushes end.
  const unused = new Set(chainSent);
  let level = [leaf];
  while (level.length > 0 && checks > 0) {
    for (const certificate of level) {
      const anchor = authorities.find((authority) => issued(parse(authority), certificate));
      if (anchor !== undefined) return anchor.fingerprint256;
    }
    const above = [...unused].filter((candidate) => level.some((certificate) => issued(candidate, certificate)));
    for (const candidate of above) unused.delete(candidate);
    level = above;
  }
  return null;
}

function parse(authority: CaAuthority): X509Certificate {
  const known = parsedAuthorities.get(authority);
  if (known !== undefined) return known;
  const certificate = new X509Certificate(authority.pem);
  parsedAuthorities.set(authority, certificate);
  return certificate;
}
