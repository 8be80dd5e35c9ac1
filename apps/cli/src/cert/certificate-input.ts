import { X509Certificate } from 'node:crypto';
import { type CertificateFacts, describeCertificate, PemError, readPemBlocks } from '@sallyport/trust';
import { usageError } from '../errors.ts';
import { readLocalFile } from './local-files.ts';

export interface FoundCertificate {
  readonly file: string;
  /** Where in the file: "certificate 2", "tls.crt", ... */
  readonly place: string;
  readonly pem: string;
  readonly facts: CertificateFacts;
}

export interface FoundKey {
  readonly file: string;
  readonly place: string;
  readonly pem: string;
}

export interface Found {
  readonly certificates: readonly FoundCertificate[];
  readonly keys: readonly FoundKey[];
}

/** `name: base64` lines below `data:` of a Secret; a value that decodes to PEM is looked into. */
const SECRET_VALUE = /^\s+["']?([\w.-]+)["']?\s*:\s*["']?([A-Za-z0-9+/]{40,}={0,2})["']?\s*$/gm;

/** Everything in the file that is a certificate or a private key: PEM, DER, or a Kubernetes Secret's YAML. */
export async function findIn(file: string): Promise<Found> {
  const bytes = await readLocalFile(file);
  const text = bytes.toString('utf8');
  if (/^\s*kind\s*:\s*["']?Secret\b/m.test(text)) return inSecret(file, text);
  if (text.includes('-----BEGIN ')) return inPem(file, text, '');
  // DER starts with a SEQUENCE, as a PKCS#12 file does: OpenSSL tells which it is.
  if (bytes[0] === 0x30) return { certificates: [describe(file, 'certificate', bytes)], keys: [] };
  throw usageError(`${file} holds neither PEM, DER nor a Kubernetes Secret.`, 'Name a certificate, a key or a Secret.');
}

function inSecret(file: string, text: string): Found {
  const parts: Found[] = [];
  for (const [, name = '', value = ''] of text.matchAll(SECRET_VALUE)) {
    const decoded = Buffer.from(value, 'base64').toString('utf8');
    if (decoded.includes('-----BEGIN ')) parts.push(inPem(file, decoded, `${name} `));
  }
  if (parts.length === 0) {
    throw usageError(
      `The Secret in ${file} holds no PEM under data.`,
      'Check that its values are base64 of PEM files.',
    );
  }
  return { certificates: parts.flatMap((part) => part.certificates), keys: parts.flatMap((part) => part.keys) };
}

function inPem(file: string, text: string, prefix: string): Found {
  const certificates: FoundCertificate[] = [];
  const keys: FoundKey[] = [];
  try {
    for (const block of readPemBlocks(text)) {
      if (block.label.endsWith('PRIVATE KEY')) {
        keys.push({ file, place: `${prefix}key ${keys.length + 1}`, pem: block.text });
      } else if (block.label === 'CERTIFICATE') {
        const place = `${prefix}certificate ${certificates.length + 1}`;
        certificates.push(describe(file, place, block.text));
      }
    }
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    throw usageError(`${file} is cut off or damaged: ${error.message}.`, 'Use the whole, unchanged file.');
  }
  return { certificates, keys };
}

function describe(file: string, place: string, certificate: string | Buffer): FoundCertificate {
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError(
      `${file}: ${place} cannot be read as a certificate (${reason}).`,
      'Use the whole, unchanged file; a PKCS#12 file is taken apart with "openssl pkcs12 -in FILE -nodes".',
    );
  }
  return { file, place, pem: parsed.toString(), facts: describeCertificate(parsed) };
}
