import { Purpose } from '../certificate-facts.ts';
import { Extension, readCertificateParts } from '../certificate-parts.ts';
import { quoteSubject } from '../wording.ts';
import { extendedKeyUsage, extension, subjectAlternativeName } from './certificate-builder.ts';
import { delegateSan } from './delegate-name.ts';
import { IssuanceError } from './issuance-error.ts';
import { type IssuedCertificate, issue } from './issue.ts';
import { DEFAULT_CLIENT_DAYS } from './issue-client-certificate.ts';
import { belongTogether, type IssuingAuthority, openAuthority, readCertificatePem } from './issuing-authority.ts';
import { readPrivateKey, writePrivateKey } from './private-key.ts';
import { exportPublicKey, generateKeyPair, type KeyAlgorithm } from './signing.ts';

export interface Renewal {
  readonly authority: IssuingAuthority;
  /** The client certificate whose identity is kept; it may have expired. */
  readonly certificatePem: string;
  /** Gives a certificate without any SAN (such as an X.509 v1 one) this delegate's name. */
  readonly name?: string;
  /** Keeps this key, which must be the certificate's own; absent: a new key of `keyAlgorithm`. */
  readonly keep?: { readonly privateKeyPem: string; readonly passphrase?: string };
  readonly keyAlgorithm?: KeyAlgorithm;
  readonly days?: number;
  readonly now: Date;
}

export interface RenewedCertificate extends IssuedCertificate {
  /** The new key; null when the old one was kept. */
  readonly privateKeyPem: string | null;
}

/**
 * Issues a client certificate with the subject and the names of an older one, byte for byte, as v3 with clientAuth. The
 * older one's signature is not looked at: the holder of the CA's key decides whose identity it renews.
 * @throws IssuanceError
 */
export async function renew(renewal: Renewal): Promise<RenewedCertificate> {
  const { days = DEFAULT_CLIENT_DAYS, keyAlgorithm = 'RSA 2048', keep, name, now } = renewal;
  const { facts, der } = await readCertificatePem(renewal.certificatePem, 'The certificate to renew');
  if (facts.isCa) {
    throw new IssuanceError(
      'CA_NOT_RENEWABLE',
      `${quoteSubject(facts)} is a CA certificate. Make a new CA instead and rotate to it.`,
    );
  }
  const parts = readCertificateParts(der);
  const authority = await openAuthority(renewal.authority, now);
  const key = keep === undefined ? await newKey(keyAlgorithm) : await keptKey(keep, parts.publicKey.bytes);
  const names = parts.extensions.values.get(Extension.SUBJECT_ALTERNATIVE_NAME);
  const san =
    names === undefined
      ? name === undefined
        ? []
        : [subjectAlternativeName([delegateSan(name)])]
      : [extension(Extension.SUBJECT_ALTERNATIVE_NAME, parts.subject.content.length === 0, names)];
  const issued = await issue(
    {
      subject: parts.subject.bytes,
      publicKey: key.publicKey,
      days,
      now,
      keyUsage: ['digitalSignature'],
      extensions: [extendedKeyUsage(Purpose.CLIENT_AUTH), ...san],
    },
    authority,
    authority.signingKey,
  );
  return { ...issued, privateKeyPem: key.privateKeyPem };
}

async function newKey(keyAlgorithm: KeyAlgorithm): Promise<{ publicKey: Uint8Array; privateKeyPem: string | null }> {
  const keys = await generateKeyPair(keyAlgorithm);
  return { publicKey: await exportPublicKey(keys.publicKey), privateKeyPem: await writePrivateKey(keys) };
}

async function keptKey(
  keep: NonNullable<Renewal['keep']>,
  publicKey: Uint8Array,
): Promise<{ publicKey: Uint8Array; privateKeyPem: string | null }> {
  const privateKey = await readPrivateKey(keep.privateKeyPem, keep.passphrase);
  if (await belongTogether(privateKey, publicKey)) return { publicKey, privateKeyPem: null };
  throw new IssuanceError(
    'KEY_MISMATCH',
    'The key to keep is not the one of the certificate. Give its client.key, or let a new one be made.',
  );
}
