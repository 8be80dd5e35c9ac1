import type { CaAuthority } from './ca-authority.ts';
import { type CaBundle, judgeCaBundle, malformedCertificate, splitCaBundle } from './ca-bundle-rules.ts';
import { DerError } from './der.ts';
import { describeDer } from './describe-der.ts';

/**
 * What an upload would say, where there is no node:crypto: the rules of `readCaBundle()` without OpenSSL's own look at the
 * keys and without the list of public web CAs. The server's answer counts.
 * @throws CaBundleError
 */
export async function previewCaBundle(pem: string, now: Date): Promise<CaBundle> {
  const authorities: CaAuthority[] = [];
  for (const [index, { der, pem: own }] of splitCaBundle(pem).entries()) {
    try {
      authorities.push({ ...(await describeDer(der)), pem: own });
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
      throw malformedCertificate(index, error.message);
    }
  }
  return judgeCaBundle(authorities, now);
}
