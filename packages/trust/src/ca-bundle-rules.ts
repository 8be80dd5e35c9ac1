import type { CaAuthority } from './ca-authority.ts';
import { type CertificateFacts, Purpose } from './certificate-facts.ts';
import { type PemBlock, PemError, readPemBlocks } from './pem.ts';
import { quoteSubject, wordDate, wordDuration } from './wording.ts';

/** A bundle is sent to every client of its endpoint (as names) and parsed for every context: both are bounded. */
export const LARGEST_BUNDLE_BYTES = 64 * 1024;
export const MOST_BUNDLE_CERTIFICATES = 32;
const SOON = 90 * 86_400_000;

export type CaBundleProblem =
  | 'EMPTY'
  | 'TOO_LARGE'
  | 'PRIVATE_KEY'
  | 'MALFORMED_PEM'
  | 'MALFORMED_CERTIFICATE'
  | 'UNEXPECTED_BLOCK'
  | 'NO_CERTIFICATE'
  | 'TOO_MANY_CERTIFICATES'
  | 'NOT_A_CA'
  | 'ALL_EXPIRED';

/** Why a text is no CA bundle. The message names the certificate and the remedy and never quotes the text. */
export class CaBundleError extends Error {
  override readonly name = 'CaBundleError';
  readonly problem: CaBundleProblem;

  constructor(problem: CaBundleProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

export type CaBundleWarningCode =
  | 'DUPLICATE'
  | 'EXPIRED'
  | 'EXPIRES_SOON'
  | 'NOT_YET_VALID'
  | 'WEAK_SIGNATURE'
  | 'SHORT_KEY'
  | 'NOT_FOR_CLIENTS'
  | 'UNKNOWN_CRITICAL_EXTENSION'
  | 'PUBLIC_WEB_CA';

export interface CaBundleWarning {
  readonly code: CaBundleWarningCode;
  readonly message: string;
  readonly subject: string;
}

export interface CaBundle {
  /** At least one, in the order of the text, each once. Give TLS these certificates' own PEM, not the uploaded text. */
  readonly authorities: readonly CaAuthority[];
  readonly warnings: readonly CaBundleWarning[];
}

export interface CertificateBlock {
  readonly der: Uint8Array<ArrayBuffer>;
  readonly pem: string;
}

/** The certificates of an uploaded text, not read yet. @throws CaBundleError */
export function splitCaBundle(pem: string): CertificateBlock[] {
  if (pem.trim() === '') throw new CaBundleError('EMPTY', 'The CA bundle is empty. Upload the PEM text of ca.crt.');
  const size = new TextEncoder().encode(pem).length;
  if (size > LARGEST_BUNDLE_BYTES) {
    throw new CaBundleError(
      'TOO_LARGE',
      `The CA bundle has ${size} bytes; at most ${LARGEST_BUNDLE_BYTES} are allowed. Upload only the CAs that issue client certificates.`,
    );
  }
  // Somebody's CA key in an upload is a key that has left its owner: say so before anything else, and keep nothing.
  // Looked for in the raw text, so that a broken block or a comment around it can't hide it.
  if (/-{2,}[ \t]*BEGIN[^\r\n]*PRIVATE KEY/i.test(pem)) {
    throw new CaBundleError(
      'PRIVATE_KEY',
      'The CA bundle holds a PRIVATE KEY. It was not stored. Upload the certificate (ca.crt) only; if the key is the real one, take it for disclosed and make a new CA.',
    );
  }
  const certificates = readBlocks(pem).map(toCertificate);
  if (certificates.length === 0) {
    const escaped = pem.includes('-----\\n') ? ' Its line breaks are written as \\n: upload real line breaks.' : '';
    throw new CaBundleError(
      'NO_CERTIFICATE',
      `The CA bundle holds no PEM certificate ("-----BEGIN CERTIFICATE-----").${escaped} Upload ca.crt in PEM form; "openssl x509 -inform DER -in ca.cer -out ca.crt" converts a DER file.`,
    );
  }
  if (certificates.length > MOST_BUNDLE_CERTIFICATES) {
    throw new CaBundleError(
      'TOO_MANY_CERTIFICATES',
      `The CA bundle holds ${certificates.length} certificates; at most ${MOST_BUNDLE_CERTIFICATES} are allowed. Upload only the CAs that issue client certificates.`,
    );
  }
  return certificates;
}

function readBlocks(pem: string): PemBlock[] {
  try {
    return readPemBlocks(pem);
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    throw new CaBundleError(
      'MALFORMED_PEM',
      `The CA bundle is cut off or damaged: ${error.message}. Upload the whole file.`,
    );
  }
}

function toCertificate({ label, der, text }: PemBlock, index: number): CertificateBlock {
  if (label !== 'CERTIFICATE' && label !== 'X509 CERTIFICATE') {
    const remedy =
      label === 'TRUSTED CERTIFICATE'
        ? 'Convert it with "openssl x509 -in FILE -out ca.crt".'
        : 'Upload CA certificates only ("-----BEGIN CERTIFICATE-----").';
    throw new CaBundleError('UNEXPECTED_BLOCK', `Block ${index + 1} of the CA bundle is a "${label}". ${remedy}`);
  }
  if (der === null) {
    throw new CaBundleError(
      'MALFORMED_PEM',
      `Certificate ${index + 1} of the CA bundle is not base64. Upload the file as the CA wrote it.`,
    );
  }
  return { der, pem: text.replaceAll('X509 CERTIFICATE', 'CERTIFICATE') };
}

export function malformedCertificate(index: number, detail: string): CaBundleError {
  return new CaBundleError(
    'MALFORMED_CERTIFICATE',
    `Certificate ${index + 1} of the CA bundle can't be read: ${detail}. Upload the file as the CA wrote it.`,
  );
}

/** Keeps the CAs of a bundle, each once, and says what is weak. @throws CaBundleError */
export function judgeCaBundle(certificates: readonly CaAuthority[], now: Date): CaBundle {
  const authorities = new Map<string, CaAuthority>();
  const warnings: CaBundleWarning[] = [];
  for (const certificate of certificates) {
    if (!certificate.isCa) throw notACa(certificate);
    if (authorities.has(certificate.fingerprint256)) {
      const message = `${quoteSubject(certificate)} is in the bundle more than once; it is kept once.`;
      warnings.push({ code: 'DUPLICATE', message, subject: certificate.subject });
    }
    authorities.set(certificate.fingerprint256, certificate);
  }
  const kept = [...authorities.values()];
  if (kept.every(({ notAfter }) => now >= notAfter)) {
    const last = kept.reduce((latest, ca) => (ca.notAfter > latest.notAfter ? ca : latest));
    throw new CaBundleError(
      'ALL_EXPIRED',
      `Every CA of the bundle has expired, ${quoteSubject(last)} as the last at ${wordDate(last.notAfter)}. Upload a CA certificate that is in date.`,
    );
  }
  for (const authority of kept) warnings.push(...weaknessesOf(authority, now));
  return { authorities: kept, warnings };
}

function notACa(certificate: CertificateFacts): CaBundleError {
  const why =
    certificate.version === 1
      ? 'an X.509 v1 certificate that is not self-signed'
      : certificate.keyUsage !== null && !certificate.keyUsage.includes('keyCertSign')
        ? 'its key usage lacks keyCertSign'
        : 'its basicConstraints lack CA:TRUE';
  return new CaBundleError(
    'NOT_A_CA',
    `${quoteSubject(certificate)}, issued by "${certificate.issuer}", is not a CA certificate (${why}). Upload the CA that issued it, not a client's own certificate.`,
  );
}

function* weaknessesOf(ca: CaAuthority, now: Date): Generator<CaBundleWarning> {
  const warn = (code: CaBundleWarningCode, text: string) => ({
    code,
    message: `${quoteSubject(ca)} ${text}`,
    subject: ca.subject,
  });
  const left = ca.notAfter.getTime() - now.getTime();
  if (left <= 0) {
    yield warn('EXPIRED', `expired at ${wordDate(ca.notAfter)}: its clients are refused. Take it out of the bundle.`);
  } else if (left < SOON) {
    yield warn(
      'EXPIRES_SOON',
      `expires in ${wordDuration(left)} (at ${wordDate(ca.notAfter)}). Add its successor to the bundle before that.`,
    );
  }
  if (now < ca.notBefore) {
    yield warn('NOT_YET_VALID', `becomes valid at ${wordDate(ca.notBefore)}: its clients are refused until then.`);
  }
  // Nobody verifies a root's signature over itself: its digest does not matter.
  if (!ca.selfSigned && /SHA-1$|MD\d$/.test(ca.signatureAlgorithm)) {
    yield warn(
      'WEAK_SIGNATURE',
      `is signed with ${ca.signatureAlgorithm}, which can be forged. Issue it anew with SHA-256.`,
    );
  }
  const rsa = /^RSA(?:-PSS)? (\d+)$/.exec(ca.keyAlgorithm);
  if (rsa !== null && Number(rsa[1]) < 2048) {
    yield warn(
      'SHORT_KEY',
      `has a key of ${rsa[1]} bits: OpenSSL refuses its clients. Make a CA with RSA 2048 or P-256.`,
    );
  }
  if (ca.purposes !== null && !ca.purposes.includes(Purpose.CLIENT_AUTH)) {
    yield warn(
      'NOT_FOR_CLIENTS',
      'may not issue for TLS clients (extended key usage without clientAuth): its clients are refused.',
    );
  }
  if (ca.unknownCriticalExtensions.length > 0) {
    yield warn(
      'UNKNOWN_CRITICAL_EXTENSION',
      `has a critical extension that OpenSSL does not know (${ca.unknownCriticalExtensions.join(', ')}): its clients are refused.`,
    );
  }
}
