import { type CertificateFacts, Purpose } from './certificate-facts.ts';
import { quoteSubject, wordDate, wordDuration } from './wording.ts';

export type WeaknessCode =
  | 'MALFORMED'
  | 'X509_V1'
  | 'NO_SAN'
  | 'SHARED_NAME'
  | 'WEAK_SIGNATURE'
  | 'SHORT_KEY'
  | 'EC_KEY'
  | 'UNUSUAL_KEY'
  | 'LONG_VALIDITY'
  | 'EXPIRED'
  | 'EXPIRES_SOON'
  | 'NOT_YET_VALID'
  | 'NO_PURPOSE'
  | 'NOT_FOR_CLIENTS'
  | 'MAY_NOT_SIGN'
  | 'UNKNOWN_CRITICAL_EXTENSION'
  | 'NO_KEY_ID';

export interface Weakness {
  readonly code: WeaknessCode;
  /** True when the gateway refuses it; otherwise it is admitted and only worth mending. */
  readonly fatal: boolean;
  readonly message: string;
  readonly remedy: string;
}

const DAY = 86_400_000;
const REISSUE = 'Issue it anew with "sallyport cert client".';

/**
 * What is weak in a certificate that is meant for a delegate, or in a CA of one (by its own flag). It says, it does not
 * forbid: certificates made by the book of others are admitted with most of these.
 */
export function findWeaknesses(certificate: CertificateFacts, now: Date): Weakness[] {
  return [...ofAny(certificate, now), ...(certificate.isCa ? ofAuthority(certificate) : ofClient(certificate))];
}

function* ofAny(certificate: CertificateFacts, now: Date): Generator<Weakness> {
  const who = quoteSubject(certificate);
  const again = certificate.isCa ? 'Make a new CA with "sallyport cert ca", and rotate to it.' : REISSUE;
  if (certificate.malformed !== null) {
    yield {
      code: 'MALFORMED',
      fatal: true,
      message: `${who} is not valid DER: ${certificate.malformed}.`,
      remedy: again,
    };
  }
  if (certificate.version === 1) {
    const message = `${who} is X.509 version 1: it says nothing of its purpose, its names or its key.`;
    yield { code: 'X509_V1', fatal: false, message, remedy: again };
  }
  // The signature of a root over itself protects nothing, so its digest does not matter.
  if (/SHA-1$|MD\d$/.test(certificate.signatureAlgorithm) && !certificate.selfSigned) {
    const message = `${who} is signed with ${certificate.signatureAlgorithm}, which can be forged; OpenSSL refuses it below a CA.`;
    yield { code: 'WEAK_SIGNATURE', fatal: true, message, remedy: 'Issue it anew with SHA-256.' };
  }
  const rsa = /^RSA(?:-PSS)? (\d+)$/.exec(certificate.keyAlgorithm);
  if (rsa !== null && Number(rsa[1]) < 2048) {
    const message = `${who} has a key of ${rsa[1]} bits, which OpenSSL refuses.`;
    yield { code: 'SHORT_KEY', fatal: true, message, remedy: `${again} Use RSA 2048 or more.` };
  }
  const { notBefore, notAfter, unknownCriticalExtensions } = certificate;
  const left = notAfter.getTime() - now.getTime();
  if (!(left > 0)) {
    const message = `${who} expired ${wordDuration(left)} ago (at ${wordDate(notAfter)}).`;
    yield { code: 'EXPIRED', fatal: true, message, remedy: again };
  } else if (left < (certificate.isCa ? 90 : 14) * DAY) {
    const message = `${who} expires in ${wordDuration(left)} (at ${wordDate(notAfter)}).`;
    yield { code: 'EXPIRES_SOON', fatal: false, message, remedy: again };
  }
  if (now < notBefore) {
    const message = `${who} becomes valid in ${wordDuration(notBefore.getTime() - now.getTime())} (at ${wordDate(notBefore)}).`;
    yield {
      code: 'NOT_YET_VALID',
      fatal: true,
      message,
      remedy: 'If it was just made, set the clocks by NTP; otherwise wait.',
    };
  }
  const longest = certificate.isCa ? 3660 : 398;
  const days = Math.round((notAfter.getTime() - notBefore.getTime()) / DAY);
  if (days > longest) {
    const message = `${who} is valid for ${days} days, more than ${certificate.isCa ? 'ten years' : '398 days'}: a stolen key stays good that long.`;
    yield {
      code: 'LONG_VALIDITY',
      fatal: false,
      message,
      remedy: certificate.isCa ? again : `${REISSUE} Renew it by a schedule.`,
    };
  }
  if (unknownCriticalExtensions.length > 0) {
    const message = `${who} has a critical extension that OpenSSL does not know (${unknownCriticalExtensions.join(', ')}).`;
    yield { code: 'UNKNOWN_CRITICAL_EXTENSION', fatal: true, message, remedy: 'Issue it anew without that extension.' };
  }
}

function* ofClient(certificate: CertificateFacts): Generator<Weakness> {
  const who = quoteSubject(certificate);
  const { keyAlgorithm, keyUsage, purposes, sans, subjectAttributes } = certificate;
  if (sans.length === 0) {
    const message = `${who} has no subject alternative name, so it can be told from others by its subject only.`;
    yield { code: 'NO_SAN', fatal: false, message, remedy: `${REISSUE} It writes the delegate's name.` };
  }
  // The published instructions give every delegate of every account this very name.
  if (subjectAttributes.some(({ type, value }) => type === 'CN' && value === 'Client')) {
    const message = `${who} has the common name "Client", which the published instructions give to every delegate.`;
    yield { code: 'SHARED_NAME', fatal: false, message, remedy: `${REISSUE} Give each delegate its own name.` };
  }
  if (purposes === null) {
    const message = `${who} does not say what it is for (no extended key usage), so it is good for servers, too.`;
    yield { code: 'NO_PURPOSE', fatal: false, message, remedy: REISSUE };
  } else if (!purposes.includes(Purpose.CLIENT_AUTH)) {
    const message = `${who} is not for TLS clients (extended key usage without clientAuth).`;
    yield { code: 'NOT_FOR_CLIENTS', fatal: true, message, remedy: REISSUE };
  }
  if (keyUsage !== null && !keyUsage.includes('digitalSignature') && !keyUsage.includes('keyAgreement')) {
    const message = `${who} does not let its key sign (key usage without digitalSignature), which a TLS client must.`;
    yield { code: 'MAY_NOT_SIGN', fatal: true, message, remedy: REISSUE };
  }
  if (keyAlgorithm.startsWith('EC ')) {
    const message = `${who} has an EC key (${keyAlgorithm}), which the classic Java delegate can't read.`;
    yield {
      code: 'EC_KEY',
      fatal: false,
      message,
      remedy: 'For such a delegate use an RSA key in PKCS#8 ("-----BEGIN PRIVATE KEY-----").',
    };
  } else if (!/^RSA \d+$/.test(keyAlgorithm)) {
    const message = `${who} has a key of an unusual kind (${keyAlgorithm}), which few clients can use.`;
    yield { code: 'UNUSUAL_KEY', fatal: false, message, remedy: 'Use RSA 2048, or EC P-256.' };
  }
}

function* ofAuthority(certificate: CertificateFacts): Generator<Weakness> {
  const who = quoteSubject(certificate);
  if (certificate.purposes !== null && !certificate.purposes.includes(Purpose.CLIENT_AUTH)) {
    const message = `${who} may not issue for TLS clients (extended key usage without clientAuth).`;
    yield { code: 'NOT_FOR_CLIENTS', fatal: true, message, remedy: 'Use a CA without an extended key usage.' };
  }
  if (certificate.version !== 1 && certificate.subjectKeyId === null) {
    const message = `${who} has no key id, so two CAs of its name can be told apart by trying signatures only.`;
    yield {
      code: 'NO_KEY_ID',
      fatal: false,
      message,
      remedy: 'Make CAs with a subject key identifier, as "sallyport cert ca" does.',
    };
  }
}
