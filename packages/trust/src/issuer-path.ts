import { X509Certificate } from 'node:crypto';
import type { CaAuthority } from './ca-authority.ts';
import type { CertificateFacts } from './certificate-facts.ts';
import { describeCertificate } from './client-certificate.ts';
import { hasSigned } from './issuer-signature.ts';
import { MOST_PEER_CERTIFICATES } from './peer-certificates.ts';
import { publicKeyHash } from './revocation/public-key-hash.ts';
import { twinFingerprints } from './revocation/signature-twins.ts';

/** A certificate above a leaf, or the leaf, with the keys that signed it. */
export interface PathCertificate {
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  readonly fingerprint256: string;
  /** Fingerprints of the same certificate with its signature written in another way. */
  readonly twinFingerprints: readonly string[];
  /** SHA-256 over the public keys that its signature verifies under, its own left out. */
  readonly issuerKeys: readonly string[];
}

export interface IssuerPath {
  /** Fingerprint of the bundle's CA that the shortest path ends at; null when there is none. */
  readonly anchor: string | null;
  /**
   * The leaf, and every certificate sent or in the bundle that signed it, directly or through others of these: each path
   * that OpenSSL can have taken lies in it, the ones that it did not take as well.
   */
  readonly certificates: readonly PathCertificate[];
  /** False when there may be more: no anchor was found, or the client sent more than is looked at. */
  readonly complete: boolean;
}

/** Signature checks per call: a client chooses the chain it sends, and each check costs up to 50 µs. */
const MOST_SIGNATURE_CHECKS = 128;

interface Candidate {
  readonly certificate: X509Certificate;
  readonly authority: CaAuthority | null;
}

const parsedAuthorities = new WeakMap<CaAuthority, X509Certificate>();

/**
 * What lies above a leaf that OpenSSL has admitted under this bundle. Bookkeeping, never trust: dates, CA flags and path
 * lengths are not looked at. Names and key ids select, a signature decides, so two CAs with one name and two keys are
 * told apart. Keep the answer by the fingerprints of leaf and chain and by the bundle.
 */
export function traceIssuers(
  leaf: X509Certificate,
  chainSent: readonly X509Certificate[],
  authorities: readonly CaAuthority[],
  describe: (certificate: X509Certificate) => CertificateFacts = describeCertificate,
): IssuerPath {
  const candidates = new Map<string, Candidate>();
  // A CA of the bundle that is sent as well is the bundle's.
  for (const authority of authorities) {
    const certificate = parse(authority);
    candidates.set(certificate.fingerprint256, { certificate, authority });
  }
  for (const certificate of chainSent) {
    const { fingerprint256 } = certificate;
    if (!candidates.has(fingerprint256)) candidates.set(fingerprint256, { certificate, authority: null });
  }
  const factsOf = ({ certificate, authority }: Candidate) => authority ?? describe(certificate);

  let checks = MOST_SIGNATURE_CHECKS;
  let anchor: string | null = null;
  let isWhole = chainSent.length < MOST_PEER_CERTIFICATES - 1;
  const certificates: PathCertificate[] = [];
  const start = candidates.get(leaf.fingerprint256) ?? { certificate: leaf, authority: null };
  // Breadth first from the leaf, so that the nearest CA is the anchor; each certificate once, so loops and bushes end.
  const path = new Set([start]);
  for (const below of path) {
    const issuerKeys: string[] = [];
    for (const above of candidates.values()) {
      if (above.certificate.fingerprint256 === below.certificate.fingerprint256) continue;
      if (!below.certificate.checkIssued(above.certificate) || checks === 0) continue;
      checks -= 1;
      if (!hasSigned(above.certificate, below.certificate)) continue;
      anchor ??= above.authority?.fingerprint256 ?? null;
      issuerKeys.push(publicKeyHash(factsOf(above)));
      path.add(above);
    }
    const { subject, issuer, serialNumber, fingerprint256, malformed } = factsOf(below);
    const twins = twinFingerprints(below.certificate.raw);
    certificates.push({ subject, issuer, serialNumber, fingerprint256, twinFingerprints: twins, issuerKeys });
    // Its key was not read, so no list of its own would be found for what lies below it.
    if (malformed !== null) isWhole = false;
  }
  if (checks === 0) isWhole = false;
  return { anchor, certificates, complete: isWhole && anchor !== null };
}

const tracedAuthorities = new WeakMap<readonly CaAuthority[], Map<string, readonly PathCertificate[]>>();

/**
 * A CA of the bundle and the CAs of the bundle above it. For a client that was admitted under an earlier bundle: what has
 * been added since may lie above the CA that its path ends at, and say that this CA is revoked.
 */
export function traceAuthority(
  authority: CaAuthority,
  authorities: readonly CaAuthority[],
): readonly PathCertificate[] {
  const known = tracedAuthorities.get(authorities) ?? new Map<string, readonly PathCertificate[]>();
  tracedAuthorities.set(authorities, known);
  const path = known.get(authority.fingerprint256) ?? traceIssuers(parse(authority), [], authorities).certificates;
  known.set(authority.fingerprint256, path);
  return path;
}

/** Which CA of the bundle an admitted leaf comes from: the `anchor` of `traceIssuers()`. */
export function findAnchor(
  leaf: X509Certificate,
  chainSent: readonly X509Certificate[],
  authorities: readonly CaAuthority[],
): string | null {
  return traceIssuers(leaf, chainSent, authorities).anchor;
}

function parse(authority: CaAuthority): X509Certificate {
  const known = parsedAuthorities.get(authority);
  if (known !== undefined) return known;
  const certificate = new X509Certificate(authority.pem);
  parsedAuthorities.set(authority, certificate);
  return certificate;
}
