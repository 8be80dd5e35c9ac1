import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { Secret } from './secret.ts';

/** A client certificate chain with its key, which belong together. */
export interface ClientIdentity {
  readonly certificatePem: string;
  readonly keyPem: Secret;
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  /** SHA-256 over the leaf's DER, lower-case hex. */
  readonly fingerprint: string;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Certificate or key files that cannot be used. `message` says what is wrong with them, `remedy` what to do. */
export class CertificateFileError extends Error {
  override readonly name = 'CertificateFileError';
  readonly remedy: string;

  constructor(message: string, remedy: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.remedy = remedy;
  }
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The certificates of a PEM text in order. Throws CertificateFileError naming the one that does not parse. */
export function parseCertificates(pem: string, from: string): X509Certificate[] {
  const blocks = pem.match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0) {
    throw new CertificateFileError(
      `${from} holds no certificate in PEM form.`,
      'Give a file with "-----BEGIN CERTIFICATE-----" blocks; "openssl x509 -inform der -in FILE" converts DER.',
    );
  }
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new CertificateFileError(
        `Certificate ${index + 1} of ${blocks.length} in ${from} does not parse.`,
        'The file was cut or altered on its way: copy it again.',
        error,
      );
    }
  });
}

/**
 * Reads the texts of a certificate file and a key file as one identity. When it returns, the first certificate and the
 * key are a pair and OpenSSL accepts both; validity and issuer are not looked at, that is the manager's verdict.
 * Throws CertificateFileError; its text never holds key material.
 */
export function parseClientIdentity(
  certificatePem: string,
  keyPem: string,
  from: { readonly certificate: string; readonly key: string },
): ClientIdentity {
  const chain = parseCertificates(certificatePem, from.certificate);
  const leaf = chain[0];
  if (leaf === undefined) throw new CertificateFileError(`${from.certificate} is empty.`, 'Write the certificate.');
  const key = parseKey(keyPem, from.key);
  if (!leaf.checkPrivateKey(key)) {
    const other = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
    throw other > 0
      ? new CertificateFileError(
          `${from.certificate} has the client certificate in place ${other + 1}, but it must come first.`,
          'Put the client certificate first, then the intermediate that issued it, and so on.',
        )
      : new CertificateFileError(
          `The key in ${from.key} does not belong to the certificate in ${from.certificate} (${oneLine(leaf.subject)}).`,
          'Write certificate and key of the same pair; a rotation must replace both.',
        );
  }
  try {
    createSecureContext({ cert: certificatePem, key: keyPem });
  } catch (error) {
    throw new CertificateFileError(
      `OpenSSL does not take the certificate in ${from.certificate}: ${reasonOf(error)}.`,
      'Issue a certificate with an RSA key of 2048 bits or more, or P-256, signed with SHA-256.',
      error,
    );
  }
  return {
    certificatePem,
    keyPem: new Secret(keyPem),
    subject: oneLine(leaf.subject),
    issuer: oneLine(leaf.issuer),
    serialNumber: leaf.serialNumber.toLowerCase(),
    fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
  };
}

function parseKey(pem: string, from: string): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(pem)) {
    throw new CertificateFileError(
      `The key in ${from} is protected by a passphrase, and nobody is there to type it.`,
      'Write it without one: openssl pkey -in FILE -out client.key',
    );
  }
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause is dropped: a parser's message may quote what it read, and this is a key file.
    throw new CertificateFileError(
      `${from} holds no private key in PEM form.`,
      'Give the file that begins with "-----BEGIN PRIVATE KEY-----".',
    );
  }
}

/** Node prints names over several lines, the widest part first; texts and logs want one, as RFC 4514 writes it. */
export function oneLine(name: string): string {
  return name.split('\n').reverse().join(', ');
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'reason' in error ? String(error.reason) : 'unusable';
}
