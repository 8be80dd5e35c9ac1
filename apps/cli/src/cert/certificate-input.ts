import { X509Certificate } from 'node:crypto';
import {
  type CertificateFacts,
  certificatesOfPkcs7,
  DerError,
  describeCertificate,
  describeSigningRequest,
  identifyDer,
  type PemBlock,
  PemError,
  readPemBlocks,
  type SigningRequestFacts,
  writePemBlock,
} from '@sallyport/trust';
import { usageError } from '../errors.ts';
import { readLocalFile } from './local-files.ts';
import { readPkcs12 } from './pkcs12.ts';
import { type FoundKey, keyInDer, keyInPem } from './private-key-input.ts';
import { holdsSecret, isEncodedTwice, secretValues } from './secret-values.ts';
import { explainUnread, explainUnreadBlock } from './unread-file.ts';

export interface FoundCertificate {
  readonly file: string;
  /** Where in the file: "certificate 2", "tls.crt certificate 1", ... */
  readonly place: string;
  readonly pem: string;
  readonly facts: CertificateFacts;
  /** SHA-1 over the DER, which many consoles show; lower-case hex. */
  readonly fingerprint1: string;
  /** The private key lies in the same PKCS#12 file, and OpenSSL has held it against this certificate. */
  readonly keyInside?: boolean;
}

export interface FoundRequest {
  readonly file: string;
  readonly place: string;
  readonly pem: string;
  readonly facts: SigningRequestFacts;
}

/** A part of a file that is none of these, and what can be done with it. */
export interface NotLookedAt {
  readonly file: string;
  readonly place: string;
  readonly what: string;
  readonly remedy: string;
}

export interface Found {
  readonly certificates: readonly FoundCertificate[];
  readonly keys: readonly FoundKey[];
  readonly requests: readonly FoundRequest[];
  readonly others: readonly NotLookedAt[];
}

const NOTHING: Found = { certificates: [], keys: [], requests: [], others: [] };

/** A file, or one value of a Secret in it. */
interface Source {
  readonly file: string;
  /** Empty, or the name of the value and a blank. */
  readonly prefix: string;
  readonly passphrase: string | undefined;
}

/**
 * Everything in the file that is a certificate, a request or a private key: PEM, DER, PKCS#7, PKCS#12, or a Kubernetes
 * Secret. On return there is at least one of them.
 * @throws CliError that says what the file is instead, or what is wrong with it.
 */
export async function findIn(file: string, passphrase?: string): Promise<Found> {
  const bytes = await readLocalFile(file);
  const source: Source = { file, prefix: '', passphrase };
  const text = bytes.toString('utf8');
  if (text.startsWith('\uFEFF-----BEGIN ')) {
    throw usageError(
      `${file} begins with a byte order mark (BOM), and not every TLS library finds the PEM behind it.`,
      `Write it without: tail -c +4 ${file} > NEW`,
    );
  }
  const found = holdsSecret(text) ? await inSecret(source, text) : await inBytes(source, bytes);
  if (found === null) throw explainUnread(file, bytes);
  const [other] = found.others;
  if (found.certificates.length + found.keys.length + found.requests.length > 0) return found;
  throw other === undefined ? explainUnread(file, bytes) : usageError(`${file} holds ${other.what}.`, other.remedy);
}

/** What several files hold, in their order. @throws CliError */
export async function findInAll(files: readonly string[], passphrase?: string): Promise<Found> {
  return together(await Promise.all(files.map((file) => findIn(file, passphrase))));
}

const together = (parts: readonly Found[]): Found => ({
  certificates: parts.flatMap(({ certificates }) => certificates),
  keys: parts.flatMap(({ keys }) => keys),
  requests: parts.flatMap(({ requests }) => requests),
  others: parts.flatMap(({ others }) => others),
});

/** Null for bytes that are nothing of ours. */
async function inBytes(source: Source, bytes: Buffer): Promise<Found | null> {
  const text = bytes.toString('utf8');
  return /^-----BEGIN /m.test(text) ? inPem(source, text) : inDer(source, bytes);
}

async function inSecret(source: Source, text: string): Promise<Found> {
  const parts: Found[] = [];
  for (const { name, bytes } of secretValues(text)) {
    if (isEncodedTwice(bytes)) {
      throw usageError(
        `${source.file}: ${name} of the Secret is encoded in base64 twice, so a pod finds base64 where it looks for PEM.`,
        'Put the PEM text below stringData, or encode it only once for data.',
      );
    }
    const part = await inBytes({ ...source, prefix: `${name} ` }, bytes);
    if (part !== null) parts.push(part);
  }
  if (parts.length > 0) return together(parts);
  throw usageError(
    `The Secret in ${source.file} holds no certificate and no key under data or stringData.`,
    'Check that its values are base64 of PEM files.',
  );
}

async function inPem(source: Source, text: string): Promise<Found> {
  const parts: Found[] = [];
  const counts = new Map<string, number>();
  for (const block of blocksOf(source, text)) {
    const kind = kindOf(block.label);
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    parts.push(await inBlock({ ...source, place: `${source.prefix}${kind} ${count}` }, block));
  }
  return together(parts);
}

function blocksOf({ file, prefix }: Source, text: string): PemBlock[] {
  try {
    return readPemBlocks(text);
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    throw usageError(`${file} is cut off or damaged: ${prefix}${error.message}.`, 'Use the whole, unchanged file.');
  }
}

const kindOf = (label: string): string =>
  label.endsWith('PRIVATE KEY') ? 'key' : /^(?:X509 )?CERTIFICATE$/.test(label) ? 'certificate' : label.toLowerCase();

async function inBlock(at: Source & { readonly place: string }, { label, der, text }: PemBlock): Promise<Found> {
  const { file, place, passphrase } = at;
  switch (label) {
    case 'CERTIFICATE':
    case 'X509 CERTIFICATE':
      return { ...NOTHING, certificates: [describe(file, place, der)] };
    case 'CERTIFICATE REQUEST':
    case 'NEW CERTIFICATE REQUEST':
      return { ...NOTHING, requests: [await describeRequest(file, place, der)] };
    case 'PKCS7':
    case 'CMS':
      return inPkcs7(file, place, der);
    case 'EC PARAMETERS':
    case 'DH PARAMETERS':
      return NOTHING; // OpenSSL writes them above a key; they say nothing that the key does not.
    default: {
      const key = keyInPem({ file, place }, label, text, passphrase);
      return key === null
        ? { ...NOTHING, others: [{ file, place, ...explainUnreadBlock(file, label) }] }
        : { ...NOTHING, keys: [key] };
    }
  }
}

async function inDer(source: Source, bytes: Buffer): Promise<Found | null> {
  const { file, prefix, passphrase } = source;
  const keyAt = { file, place: `${prefix}key` };
  switch (identifyDer(bytes)) {
    case 'certificate':
      return { ...NOTHING, certificates: [describe(file, `${prefix}certificate`, bytes)] };
    case 'request':
      return { ...NOTHING, requests: [await describeRequest(file, `${prefix}certificate request`, bytes)] };
    case 'PKCS#7':
      return inPkcs7(file, `${prefix}PKCS#7`, bytes);
    case 'PKCS#12':
      return inPkcs12(source, bytes);
    case 'PKCS#8 key':
      return { ...NOTHING, keys: [keyInDer(keyAt, { form: 'PKCS#8', encrypted: false }, bytes, passphrase)] };
    case 'encrypted PKCS#8 key':
      return { ...NOTHING, keys: [keyInDer(keyAt, { form: 'PKCS#8', encrypted: true }, bytes, passphrase)] };
    case 'PKCS#1 key':
      return { ...NOTHING, keys: [keyInDer(keyAt, { form: 'PKCS#1', encrypted: false }, bytes, passphrase)] };
    case 'SEC 1 key':
      return { ...NOTHING, keys: [keyInDer(keyAt, { form: 'SEC 1', encrypted: false }, bytes, passphrase)] };
    case 'revocation list':
      return { ...NOTHING, others: [{ file, place: `${prefix}CRL`, ...explainUnreadBlock(file, 'X509 CRL') }] };
    case 'public key':
      return {
        ...NOTHING,
        others: [{ file, place: `${prefix}public key`, ...explainUnreadBlock(file, 'PUBLIC KEY') }],
      };
    case null:
      return null;
  }
}

async function inPkcs12({ file, prefix, passphrase }: Source, bytes: Buffer): Promise<Found> {
  const certificates = await readPkcs12(file, bytes, passphrase);
  return {
    ...NOTHING,
    certificates: certificates.map((certificate, index) => ({
      ...describe(file, `${prefix}certificate ${index + 1}`, certificate.raw),
      keyInside: index === 0,
    })),
  };
}

function inPkcs7(file: string, place: string, der: Uint8Array | null): Found {
  try {
    if (der === null) throw new DerError('its base64 is damaged');
    const certificates = certificatesOfPkcs7(der);
    return {
      ...NOTHING,
      certificates: certificates.map((each, index) => describe(file, `${place} certificate ${index + 1}`, each)),
    };
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw usageError(
      `${file}: the certificates of its PKCS#7 cannot be read (${error.message}).`,
      `Take them out with OpenSSL: openssl pkcs7 -print_certs -in ${file} -out certificates.pem (with -inform DER for a binary file).`,
    );
  }
}

async function describeRequest(file: string, place: string, der: Uint8Array | null): Promise<FoundRequest> {
  try {
    if (der === null) throw new DerError('its base64 is damaged');
    return { file, place, pem: writePemBlock('CERTIFICATE REQUEST', der), facts: await describeSigningRequest(der) };
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw usageError(
      `${file}: ${place} cannot be read (${error.message}).`,
      'Use the whole, unchanged file, or make the request anew.',
    );
  }
}

function describe(file: string, place: string, der: Uint8Array | null): FoundCertificate {
  let parsed: X509Certificate;
  try {
    if (der === null) throw new DerError('its base64 is damaged');
    parsed = new X509Certificate(der);
  } catch (error) {
    const why = error instanceof DerError ? error.message : 'OpenSSL finds no X.509 certificate in it';
    throw usageError(`${file}: ${place} cannot be read (${why}).`, 'Use the whole, unchanged file.');
  }
  return {
    file,
    place,
    pem: parsed.toString(),
    facts: describeCertificate(parsed),
    fingerprint1: parsed.fingerprint.replaceAll(':', '').toLowerCase(),
  };
}
