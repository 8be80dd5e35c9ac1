import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { usageError } from './errors.ts';
import { formatTime } from './output/format.ts';
import { readAll, type Terminal } from './terminal.ts';

/** The API takes 64 KiB; more than that is another kind of file. */
const LIMIT_BYTES = 1024 * 1024;

/** The PEM text of a file, or of standard input for `-`. Whether the certificates are any good is for the API to say. */
export async function readCaCertificates(terminal: Terminal, file: string): Promise<string> {
  const text = file === '-' ? await readAll(terminal.stdin, LIMIT_BYTES) : await readText(file);
  const shown = file === '-' ? 'Standard input' : `The file ${file}`;
  // ca.key stands next to ca.crt and is easily taken for it. The key of a CA lets its holder make delegates: it must not
  // leave this machine, not even to be refused.
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text)) {
    throw usageError(`${shown} holds a private key.`, 'Give the certificates only (ca.crt). Nothing was sent.');
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw usageError(
      `${shown} holds no PEM certificate.`,
      'Give the CA certificate as PEM text: -----BEGIN CERTIFICATE----- ...',
    );
  }
  return text;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw usageError(`The file ${file} cannot be read.`, 'Check the path and its permissions.', String(error));
  }
}

/** One line for each certificate of a PEM text: whose it is and until when. For people to read, never to trust. */
export function describeCertificates(pem: string): string {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map(describeCertificate).join('\n');
}

function describeCertificate(pem: string): string {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (error) {
    return `a certificate that cannot be read (${error instanceof Error ? error.message : String(error)})`;
  }
  const subject = certificate.subject.split('\n').reverse().join(', ');
  return `${subject} (until ${formatTime(certificate.validToDate.getTime())})`;
}
