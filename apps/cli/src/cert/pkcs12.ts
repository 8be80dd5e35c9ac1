import type { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { createAuthority, handshakeInProcess, issueServerCertificate } from '@sallyport/trust';
import { usageError } from '../errors.ts';

/**
 * The certificates of a PKCS#12 file, the one of its private key first. OpenSSL opens the file and holds the key against
 * the certificate; what it would send as a TLS client is what we take. The key itself stays inside OpenSSL.
 *
 * @throws CliError that names the cause: the passphrase, an outdated cipher, no key.
 */
export async function readPkcs12(
  file: string,
  bytes: Buffer,
  passphrase: string | undefined,
): Promise<readonly X509Certificate[]> {
  const client = openPkcs12(file, bytes, passphrase);
  const server = await throwAwayServer();
  const { sent } = await handshakeInProcess(server, { servername: 'inspect.invalid', secureContext: client });
  if (sent.length > 0) return sent;
  throw usageError(
    `${file}: OpenSSL does not use the certificate in it.`,
    `Take the file apart and look at the parts: openssl pkcs12 -in ${file} -nodes`,
  );
}

function openPkcs12(file: string, bytes: Buffer, passphrase: string | undefined): SecureContext {
  try {
    return contextOf(bytes, passphrase);
  } catch (error) {
    // The passphrase may be that of another file of the command: this one may have none.
    const open = passphrase === undefined ? null : contextOrNull(bytes);
    if (open !== null) return open;
    throw explain(file, passphrase !== undefined, error);
  }
}

function contextOrNull(bytes: Buffer): SecureContext | null {
  try {
    return contextOf(bytes, undefined);
  } catch {
    // What is wrong with it is told by the first attempt.
    return null;
  }
}

function contextOf(bytes: Buffer, passphrase: string | undefined): SecureContext {
  // Weak keys are let through: what is weak is told by whoever asked.
  return createSecureContext({
    pfx: bytes,
    ciphers: 'DEFAULT@SECLEVEL=0',
    ...(passphrase === undefined ? {} : { passphrase }),
  });
}

function explain(file: string, given: boolean, error: unknown) {
  const reason = error instanceof Error ? error.message : String(error);
  if (/mac verify failure/i.test(reason)) {
    return given
      ? usageError(`${file}: the passphrase is wrong.`, 'Check the first line of the file of --passphrase-file.')
      : usageError(
          `${file} is protected by a passphrase.`,
          `Write it into a file, and give that with --passphrase-file; or take the parts out: openssl pkcs12 -in ${file} -nodes -out parts.pem`,
        );
  }
  if (/unsupported/i.test(reason)) {
    return usageError(
      `${file} is encrypted as old programs do (RC2), which OpenSSL 3 does not open by itself.`,
      `Write it anew with ciphers of today: openssl pkcs12 -legacy -in ${file} -nodes | openssl pkcs12 -export -out new.p12`,
    );
  }
  if (/private key/i.test(reason)) {
    return usageError(
      `${file} holds certificates and no private key.`,
      `Take the certificates out, and look at them: openssl pkcs12 -in ${file} -nokeys -out certificates.pem`,
    );
  }
  return usageError(
    `${file} cannot be read as a PKCS#12 file (${reason}).`,
    `Use the whole, unchanged file; "openssl pkcs12 -in ${file} -info -noout" says what OpenSSL makes of it.`,
  );
}

/** It asks for a client certificate, and nobody looks at its own. */
async function throwAwayServer(): Promise<SecureContext> {
  const now = new Date();
  const authority = await createAuthority({ subject: { commonName: 'x' }, keyAlgorithm: 'EC P-256', days: 1, now });
  const server = await issueServerCertificate({ authority, dnsNames: ['inspect.invalid'], days: 1, now });
  return createSecureContext({
    cert: server.certificatePem,
    key: server.privateKeyPem,
    ca: authority.certificatePem,
    ciphers: 'DEFAULT@SECLEVEL=0',
  });
}
