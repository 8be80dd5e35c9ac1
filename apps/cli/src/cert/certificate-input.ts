import { X509Certificate } from 'node:crypto';
import { type CertificateFacts, describeCertificate, PemError, readPemBlocks } from '@sallyport/trust';
import { usageError } from '../errors.ts';
import { readLocalFile } from './local-files.ts';
import { readPkcs12 } from './pkcs12.ts';

export interface FoundCertificate {
  readonly file: string;
  /** Where in the file: "certificate 2", "tls.crt", ... */
  readonly place: string;
  readonly pem: string;
  readonly facts: CertificateFacts;
  /** The private key lies in the same PKCS#12 file, and OpenSSL has held it against this certificate. */
  readonly keyInside?: boolean;
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

/** Everything in the file that is a certificate or a private key: PEM, DER, PKCS#12, or a Kubernetes Secret's YAML. */
export async function findIn(file: string, passphrase?: string): Promise<Found> {
  const bytes = await readLocalFile(file);
  const text = bytes.toString('utf8');
  if (/^\s*kind\s*:\s*["']?Secret\b/m.test(text)) return inSecret(file, text);
  if (text.includes('-----BEGIN ')) return inPem(file, text, '');
  if (isPkcs12(bytes)) return inPkcs12(file, await readPkcs12(file, bytes, passphrase));
  if (bytes[0] === 0x30) return { certificates: [describe(file, 'certificate', bytes)], keys: [] };
  throw usageError(
    `${file} holds neither PEM, DER, PKCS#12 nor a Kubernetes Secret.`,
    'Name a certificate, a key or a Secret.',
  );
}

/** Both are a SEQUENCE; a PKCS#12 file begins with its version, the INTEGER 3, and a certificate with another SEQUENCE. */
function isPkcs12(bytes: Buffer): boolean {
  if (bytes[0] !== 0x30) return false;
  const length = bytes[1] ?? 0;
  // 0x80 is the indefinite length of BER, in which some programs write.
  const start = 2 + (length > 0x80 ? length - 0x80 : 0);
  return bytes.subarray(start, start + 3).equals(Buffer.from([0x02, 0x01, 0x03]));
}

function inPkcs12(file: string, certificates: readonly X509Certificate[]): Found {
  return {
    certificates: certificates.map((certificate, index) => ({
      ...describe(file, `certificate ${index + 1}`, certificate.raw),
      keyInside: index === 0,
    })),
    keys: [],
  };
}

function inSecret(file: string, text: string): Found {
  const parts: Found[] = [];
  for (const [, name = '', value = ''] of text.matchAll(SECRET_VALUE)) {
    const decoded = Buffer.from(value, 'base64').toString('utf8');
    if (decoded.includes('-----BEGIN ')) parts.push(inPem(file, decoded, `${name} `));
  }
  // Below stringData the PEM stands as it is, indented.
  const plain = text.replaceAll(/^[ \t]+/gm, '');
  if (/^-----BEGIN /m.test(plain)) parts.push(inPem(file, plain, 'stringData '));
  if (parts.length === 0) {
    throw usageError(
      `The Secret in ${file} holds no PEM under data or stringData.`,
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
      'Use the whole, unchanged file.',
    );
  }
  return { file, place, pem: parsed.toString(), facts: describeCertificate(parsed) };
}
