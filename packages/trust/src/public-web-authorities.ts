import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { hasSigned } from './issuer-signature.ts';

let roots: readonly X509Certificate[] | undefined;

/**
 * True when a CA belongs to the public web: it has the key of a root of Node's list, or such a root signed it. Anybody can
 * get a certificate from such a CA, so an endpoint that trusts one admits anybody. The first call parses the list (2 ms).
 */
export function isPublicWebAuthority(certificate: X509Certificate): boolean {
  roots ??= rootCertificates.map((pem) => new X509Certificate(pem));
  return roots.some((root) => sameKeyAndName(root, certificate) || hasSigned(root, certificate));
}

function sameKeyAndName(root: X509Certificate, certificate: X509Certificate): boolean {
  return root.subject === certificate.subject && certificate.publicKey.equals(root.publicKey);
}
