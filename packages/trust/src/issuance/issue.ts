import type { CertificateFacts, KeyUsage } from '../certificate-facts.ts';
import { describeDer } from '../describe-der.ts';
import { writePemBlock } from '../pem.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  buildCertificate,
  keyUsage,
  subjectKeyIdentifier,
} from './certificate-builder.ts';
import type { Der } from './der-writer.ts';
import { IssuanceError } from './issuance-error.ts';
import { keyIdentifier, type OpenedAuthority } from './issuing-authority.ts';

export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly facts: CertificateFacts;
  /** The CA ends before the days that were asked for are over, and the certificate ends with it. */
  readonly endsWithIssuer: boolean;
}

/** A certificate with its new key, PKCS#8 PEM. */
export interface IssuedPair extends IssuedCertificate {
  readonly privateKeyPem: string;
}

export interface Order {
  /** DER of the name. */
  readonly subject: Uint8Array;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** Whole days from `now`. */
  readonly days: number;
  readonly now: Date;
  /** Present for a CA. */
  readonly ca?: { readonly pathLength?: number };
  readonly keyUsage: readonly KeyUsage[];
  /** What else it carries: purposes, names. Key ids and constraints are added here. */
  readonly extensions: readonly Der[];
}

/** A clock that is a little behind must not refuse what was just made. */
const BACK_DATE = 5 * 60_000;
const DAY = 86_400_000;

/**
 * Signs an X.509 v3 certificate: random 16-byte serial, dated back five minutes, never valid longer than its issuer,
 * basicConstraints and keyUsage critical, both key ids. `issuer` null: signed by `signingKey` itself (a root).
 * @throws IssuanceError INVALID_LIFETIME
 */
export async function issue(
  order: Order,
  issuer: OpenedAuthority | null,
  signingKey: CryptoKey,
): Promise<IssuedCertificate> {
  const { subject, publicKey, days, now, ca } = order;
  if (!Number.isSafeInteger(days) || days < 1 || days > 36_500) {
    throw new IssuanceError(
      'INVALID_LIFETIME',
      `A lifetime of ${days} days is not possible. Give whole days from 1 to 36500.`,
    );
  }
  const keyId = await keyIdentifier(publicKey);
  const asked = now.getTime() + days * DAY;
  const notAfter = issuer === null ? asked : Math.min(asked, issuer.facts.notAfter.getTime());
  const der = await buildCertificate(
    {
      serialNumber: randomSerial(),
      issuer: issuer?.name ?? subject,
      subject,
      notBefore: new Date(now.getTime() - BACK_DATE),
      notAfter: new Date(notAfter),
      publicKey,
      extensions: [
        basicConstraints(ca !== undefined, ca?.pathLength),
        keyUsage(...order.keyUsage),
        subjectKeyIdentifier(keyId),
        authorityKeyIdentifier(issuer?.keyId ?? keyId),
        ...order.extensions,
      ],
    },
    signingKey,
  );
  return {
    certificatePem: writePemBlock('CERTIFICATE', der),
    facts: await describeDer(der),
    endsWithIssuer: Math.floor(notAfter / 1000) < Math.floor(asked / 1000),
  };
}

/** 16 bytes, positive, never shorter: 126 random bits, so that no serial can be guessed before it exists. */
function randomSerial(): Uint8Array {
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}
