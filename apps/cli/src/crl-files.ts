import { readFile } from 'node:fs/promises';
import { LARGEST_CRL_UPLOAD } from '@sallyport/protocol';
import { usageError } from './errors.ts';
import { readAll, type Terminal } from './terminal.ts';

/** The PEM text of CRLs in a file, PEM or DER, or of standard input (PEM) for `-`. Whether they are any good is for the API to say. */
export async function readCrls(terminal: Terminal, file: string): Promise<string> {
  const bytes =
    file === '-' ? Buffer.from(await readAll(terminal.stdin, LARGEST_CRL_UPLOAD), 'latin1') : await readBytes(file);
  const shown = file === '-' ? 'Standard input' : `The file ${file}`;
  if (bytes.length > LARGEST_CRL_UPLOAD) {
    throw usageError(`${shown} is larger than ${LARGEST_CRL_UPLOAD} bytes.`, 'Give a CRL as the CA publishes it.');
  }
  // ca.key lies beside the CRL: it must not leave this machine, not even to be refused.
  if (bytes.includes('PRIVATE KEY-----')) {
    throw usageError(`${shown} holds a private key.`, 'Give the CRL only. Nothing was sent.');
  }
  if (bytes.includes('-----BEGIN X509 CRL-----')) return bytes.toString('latin1');
  if (bytes[0] === 0x30) return toPem(bytes);
  throw usageError(
    `${shown} holds no CRL.`,
    'Give a CRL, PEM ("-----BEGIN X509 CRL-----") or DER, as the CA publishes it; "openssl ca -gencrl" makes one.',
  );
}

async function readBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw usageError(`The file ${file} cannot be read.`, 'Check the path and its permissions.', String(error));
  }
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`;
}
