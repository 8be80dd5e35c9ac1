import { readFile } from 'node:fs/promises';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { CertificateFileError, type ClientIdentity, parseCertificates } from './client-identity.ts';

/**
 * The CA certificates that a server may be verified with: Node's own, those of the machine, and the given files.
 * Reading the machine's store costs about 0.1 s, once. Throws CertificateFileError for a file that is no CA file:
 * going on without it would show as an unknown issuer at every connection.
 */
export async function loadTrustedRoots(extraCaFiles: readonly string[]): Promise<readonly string[]> {
  const extra = await Promise.all(extraCaFiles.map(readCaFile));
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system'), ...extra.flat()])];
}

async function readCaFile(path: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CertificateFileError(
      `The CA file ${path} cannot be read (${codeOf(error)}).`,
      'Check path and permissions.',
      error,
    );
  }
  return parseCertificates(text, path).map((certificate) => certificate.toString());
}

/** A context costs about 25 ms and 2 MiB because of the roots, so one serves all connections of an identity. */
export function secureContextFor(roots: readonly string[], identity: ClientIdentity | null): SecureContext {
  return createSecureContext({
    ca: [...roots],
    minVersion: 'TLSv1.2',
    ...(identity === null ? {} : { cert: identity.certificatePem, key: identity.keyPem.reveal() }),
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
