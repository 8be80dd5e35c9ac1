import type { CertificateFacts } from './certificate-facts.ts';

/** Whether `issuer` may have issued `certificate`, by name and key id. Explains; the signature is not looked at. */
export function mayHaveIssued(issuer: CertificateFacts, certificate: CertificateFacts): boolean {
  if (canonical(issuer.subject) !== canonical(certificate.issuer)) return false;
  const wanted = certificate.authorityKeyId?.keyId ?? null;
  return wanted === null || issuer.subjectKeyId === null || wanted === issuer.subjectKeyId;
}

export function sameName(left: string, right: string): boolean {
  return canonical(left) === canonical(right);
}

/**
 * The leaf and the certificates above it that the client sent, in order, as far as names and key ids lead. Each sent
 * certificate is used at most once, so a loop ends.
 */
export function sentPath(leaf: CertificateFacts, chainSent: readonly CertificateFacts[]): readonly CertificateFacts[] {
  const path = [leaf];
  const unused = new Set(chainSent);
  for (let top = leaf; !top.selfSigned; ) {
    const next = [...unused].find((candidate) => mayHaveIssued(candidate, top));
    if (next === undefined) break;
    unused.delete(next);
    path.push(next);
    top = next;
  }
  return path;
}

export interface MissingIntermediate {
  /** The bundle's CA that the missing intermediate belongs to. */
  readonly authority: CertificateFacts;
  readonly certain: boolean;
}

/**
 * Evidence that the issuer of `top`, which is in neither the bundle nor the chain sent, is an intermediate of a CA in the
 * bundle; null when there is none. `certain` is false for a likeness of names.
 */
export function findMissingIntermediate(
  top: CertificateFacts,
  authorities: readonly CertificateFacts[],
  knownIntermediates: readonly CertificateFacts[],
): MissingIntermediate | null {
  const named = authorities.find((authority) =>
    top.authorityKeyId?.issuerNames.some((name) => sameName(name, authority.subject)),
  );
  if (named !== undefined) return { authority: named, certain: true };

  const path = sentPath(top, knownIntermediates);
  const last = path.at(-1);
  const root = path.length > 1 && last !== undefined && authorities.find((authority) => mayHaveIssued(authority, last));
  if (root) return { authority: root, certain: true };

  const house = houseOf(top.issuerAttributes);
  const relative = house !== '' && authorities.find((authority) => houseOf(authority.subjectAttributes) === house);
  return relative ? { authority: relative, certain: false } : null;
}

/** Everything of a name but the CN: two CAs of one organisation usually differ in nothing else. */
function houseOf(attributes: CertificateFacts['issuerAttributes']): string {
  const parts = attributes.filter(({ type, value }) => type !== 'CN' && value.trim() !== '');
  return parts
    .map(({ type, value }) => JSON.stringify([type, canonical(value)]))
    .sort()
    .join();
}

/** OpenSSL compares names without regard to case and to the amount of white space. */
function canonical(name: string): string {
  return name.toLowerCase().replace(/\s+/g, ' ').trim();
}
