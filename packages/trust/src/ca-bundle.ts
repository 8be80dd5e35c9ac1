import { X509Certificate } from 'node:crypto';
import type { CaAuthority } from './ca-authority.ts';
import {
  type CaBundle,
  type CaBundleWarning,
  judgeCaBundle,
  malformedCertificate,
  splitCaBundle,
} from './ca-bundle-rules.ts';
import { describeCertificate } from './client-certificate.ts';
import { isPublicWebAuthority } from './public-web-authorities.ts';
import { quoteSubject } from './wording.ts';

/**
 * Reads the PEM text that an account uploads as its CA bundle. On return every certificate was read by OpenSSL and by us,
 * is a CA by OpenSSL's rules, and at least one has not expired. Intermediates without their root are fine (the context
 * needs `allowPartialTrustChain`). Nothing is said about who signed whom. Give TLS the authorities' own `pem`, so that
 * what was judged is what is trusted.
 * @throws CaBundleError and nothing else.
 */
export function readCaBundle(pem: string, now: Date): CaBundle {
  const read = readLately(pem);
  const bundle = judgeCaBundle(
    read.map(({ authority }) => authority),
    now,
  );
  const isPublic = new Set(read.filter((each) => each.isPublic).map(({ authority }) => authority.fingerprint256));
  const warnings = bundle.authorities.filter((ca) => isPublic.has(ca.fingerprint256)).map(warnPublic);
  return { authorities: bundle.authorities, warnings: [...bundle.warnings, ...warnings] };
}

/** What a certificate says at any time. */
interface ReadCertificate {
  readonly authority: CaAuthority;
  readonly isPublic: boolean;
}

// One change of an endpoint reads its bundle for the answer, the audit, the webhooks and the connections: each time the same
// text. What was read lately is kept, up to this many characters: four bundles of the largest size.
const MOST_KEPT = 262_144;
const lately = new Map<string, readonly ReadCertificate[]>();
let kept = 0;

function readLately(pem: string): readonly ReadCertificate[] {
  const known = lately.get(pem);
  if (known !== undefined) return known;
  const read = splitCaBundle(pem).map(({ der, pem: own }, index) => {
    const certificate = parse(der, index);
    const facts = describeCertificate(certificate);
    if (facts.malformed !== null) throw malformedCertificate(index, facts.malformed);
    return { authority: { ...facts, pem: own }, isPublic: isPublicWebAuthority(certificate) };
  });
  if (kept + pem.length > MOST_KEPT) {
    lately.clear();
    kept = 0;
  }
  lately.set(pem, read);
  kept += pem.length;
  return read;
}

function parse(der: Uint8Array<ArrayBuffer>, index: number): X509Certificate {
  try {
    const certificate = new X509Certificate(der);
    certificate.publicKey; // throws for a key that OpenSSL can't read, with which nobody can be verified
    // Node also takes PEM inside the base64, and rewrites BER: then TLS would trust other bytes than the judged ones.
    if (certificate.raw.equals(der)) return certificate;
  } catch {
    // OpenSSL's own text names internal routines; the place in the bundle is what helps.
  }
  throw malformedCertificate(index, 'OpenSSL finds no DER certificate, or no public key that it knows, in it');
}

function warnPublic(authority: CaAuthority): CaBundleWarning {
  return {
    code: 'PUBLIC_WEB_CA',
    message: `${quoteSubject(authority)} is a public web CA: everybody who can get a certificate from it is admitted. Use a CA of your own.`,
    subject: authority.subject,
  };
}
