import type { CertificateConcern, CertificateInspector } from './certificate-inspector.ts';
import type { TextPosition } from './edit/editable-text.ts';
import type { Place, Problem } from './finding.ts';
import { ManifestError } from './manifest-error.ts';
import { hasPemBlock } from './pem.ts';

export interface Credentials {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/**
 * Refuses credentials that could not work: no PEM, a key of another certificate, a certificate that the endpoint's CA
 * would refuse. The last two are known only with an inspector.
 *
 * @throws ManifestError CERTIFICATE_UNREADABLE, KEY_MISMATCH or CERTIFICATE_REFUSED; with the line where they stand, if they stand in the file.
 */
export function refuseCertificate(
  credentials: Credentials,
  inspector: CertificateInspector | undefined,
  at?: TextPosition,
): void {
  const { certificatePem: certificate, keyPem: key } = credentials;
  if (!hasPemBlock(certificate, 'CERTIFICATE')) {
    throw new ManifestError(
      'CERTIFICATE_UNREADABLE',
      'The client certificate is not PEM: it must hold a block "BEGIN CERTIFICATE".',
      at,
    );
  }
  if (!hasPemBlock(key, 'PRIVATE KEY')) {
    const swapped = hasPemBlock(key, 'CERTIFICATE') ? ' It holds a certificate: are the two swapped?' : '';
    throw new ManifestError(
      'CERTIFICATE_UNREADABLE',
      `The private key is not PEM: it must hold a block "BEGIN PRIVATE KEY".${swapped}`,
      at,
    );
  }
  if (hasPemBlock(key, 'ENCRYPTED PRIVATE KEY')) {
    throw new ManifestError(
      'CERTIFICATE_UNREADABLE',
      'The private key is encrypted with a passphrase, and delegates cannot ask for one; give it without.',
      at,
    );
  }
  const report = inspector?.inspect({ certificate, key });
  if (report?.unreadable !== undefined) {
    throw new ManifestError(
      'CERTIFICATE_UNREADABLE',
      `The client certificate or its key cannot be read: ${report.unreadable}`,
      at,
    );
  }
  if (report?.keyMatches === false) {
    throw new ManifestError(
      'KEY_MISMATCH',
      'The private key does not belong to the client certificate; give the key that the certificate was requested with.',
      at,
    );
  }
  if (report?.refusal !== undefined) {
    throw new ManifestError(
      'CERTIFICATE_REFUSED',
      `The endpoint would refuse this client certificate: ${report.refusal}`,
      at,
    );
  }
}

export const uncheckedConcern = {
  code: 'CERTIFICATE_UNCHECKED',
  message: 'The client certificate was not checked against any CA: whether the endpoint would admit it is not known.',
  remedy:
    'Give the CA bundle of the endpoint (--ca FILE), or name its control plane, which knows it (a profile of "sallyport login").',
} as const;

/** That the endpoint may refuse the pair all the same: nothing knew its CA bundle. */
export function uncheckedCertificate(
  pair: { readonly certificatePem: string; readonly keyPem: string | undefined } | undefined,
  inspector: CertificateInspector | undefined,
  at: Place,
): Problem[] {
  if (!pair || !inspector?.inspect({ certificate: pair.certificatePem, key: pair.keyPem }).unchecked) return [];
  return [{ ...uncheckedConcern, at }];
}

/** What is worth saying about a key by its PEM label alone: the Java delegate reads PKCS#8 RSA keys and nothing else. */
export function keyConcerns(keyPem: string): CertificateConcern[] {
  const label = /-----BEGIN ((?:RSA |EC |DSA )PRIVATE KEY)-----/.exec(keyPem)?.[1];
  const remedy =
    'Convert it: openssl pkcs8 -topk8 -nodes -in client.key -out client.pkcs8.key (an EC key stays unreadable for it).';
  if (label)
    return [
      {
        severity: 'warning',
        message: `The private key is in the form "BEGIN ${label}", and the Java delegate reads PKCS#8 RSA keys only.`,
        remedy,
      },
    ];
  const blocks = keyPem.match(/-----BEGIN /g)?.length ?? 0;
  if (blocks > 1)
    return [
      {
        severity: 'warning',
        message: `The key file holds ${blocks} PEM blocks, and the Java delegate wants exactly one.`,
        remedy: 'Keep the private key alone in it.',
      },
    ];
  return [];
}
