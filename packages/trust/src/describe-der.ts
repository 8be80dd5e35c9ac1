import type { CertificateFacts } from './certificate-facts.ts';
import { hex } from './der.ts';
import { readCertificate } from './read-certificate.ts';

/**
 * What a certificate says about itself, where there is no node:crypto; nothing of it is verified.
 * @throws DerError when the bytes are not one DER certificate.
 */
export async function describeDer(der: Uint8Array<ArrayBuffer>): Promise<CertificateFacts> {
  return readCertificate(der, hex(new Uint8Array(await crypto.subtle.digest('SHA-256', der))));
}
