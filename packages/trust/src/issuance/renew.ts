import { type CertificateFacts, type KeyUsage, Purpose } from '../certificate-facts.ts';
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
  /** Of the kind and size of the old key unless told; RSA 2048 where that is none that we make. */
  readonly keyAlgorithm?: KeyAlgorithm;
  readonly days?: number;
  readonly now: Date;
}

export interface RenewedCertificate extends IssuedCertificate {
  /** The new key; null when the old one was kept. */
  readonly privateKeyPem: string | null;
  /** What the older certificate was. */
  readonly previous: CertificateFacts;
}

/**
 * Issues a client certificate with the subject and the names of an older one, byte for byte, and its purposes and key
 * usages, as v3, with clientAuth and digitalSignature in any case and never those of a CA. The older one's signature
 * is not looked at: the holder of the CA's key decides whose identity it renews.
 * @throws IssuanceError
 */
export async function renew(renewal: Renewal): Promise<RenewedCertificate> {
  const { days = DEFAULT_CLIENT_DAYS, keep, name, now } = renewal;
  const { facts, der } = await readCertificatePem(renewal.certificatePem, 'The certificate to renew');
  if (facts.isCa) {
    throw new IssuanceError(
      'CA_NOT_RENEWABLE',
      `${quoteSubject(facts)} is a CA certificate. Make a new CA instead and rotate to it.`,
    );
  }
  const parts = readCertificateParts(der);
  const authority = await openAuthority(renewal.authority, now);
  const key =
    keep === undefined
      ? await newKey(renewal.keyAlgorithm ?? kindOf(facts.keyAlgorithm))
      : await keptKey(keep, parts.publicKey.bytes);
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
      keyUsage: usagesAfter(facts),
      extensions: [extendedKeyUsage(...purposesAfter(facts)), ...san],
    },
    authority,
    authority.signingKey,
  );
  return { ...issued, privateKeyPem: key.privateKeyPem, previous: facts };
}

function kindOf(keyAlgorithm: string): KeyAlgorithm {
  const rsa = /^RSA (\d+)$/.exec(keyAlgorithm);
  if (rsa !== null) return Number(rsa[1]) > 3072 ? 'RSA 4096' : Number(rsa[1]) > 2048 ? 'RSA 3072' : 'RSA 2048';
  if (keyAlgorithm === 'EC P-521') return 'EC P-384';
  return keyAlgorithm === 'EC P-256' || keyAlgorithm === 'EC P-384' ? keyAlgorithm : 'RSA 2048';
}

const purposesAfter = ({ purposes }: CertificateFacts): string[] => [
  ...new Set([Purpose.CLIENT_AUTH, ...(purposes ?? [])]),
];

function usagesAfter({ keyUsage }: CertificateFacts): KeyUsage[] {
  const kept = (keyUsage ?? []).filter((use) => use !== 'keyCertSign' && use !== 'cRLSign');
  return [...new Set<KeyUsage>(['digitalSignature', ...kept])];
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
