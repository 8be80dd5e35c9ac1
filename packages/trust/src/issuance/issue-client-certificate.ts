import { Purpose } from '../certificate-facts.ts';
import { extendedKeyUsage, subjectAlternativeName } from './certificate-builder.ts';
import { delegateSan } from './delegate-name.ts';
import { type IssuedPair, issue } from './issue.ts';
import { type IssuingAuthority, openAuthority } from './issuing-authority.ts';
import { type SubjectInput, writeName } from './name-writer.ts';
import { writePrivateKey } from './private-key.ts';
import { exportPublicKey, generateKeyPair, type KeyAlgorithm } from './signing.ts';

export const DEFAULT_CLIENT_DAYS = 90;

export interface ClientCertificateRequest {
  readonly authority: IssuingAuthority;
  /** The delegate's name: becomes the common name and the subject alternative name. */
  readonly name: string;
  /** What else the subject says, such as the organization. */
  readonly subject?: Omit<SubjectInput, 'commonName'>;
  readonly days?: number;
  /** RSA 2048 unless told: the classic Java delegate reads nothing but RSA in PKCS#8. */
  readonly keyAlgorithm?: KeyAlgorithm;
  readonly now: Date;
}

/**
 * Makes a key and a client certificate for one delegate: X.509 v3, clientAuth only, the delegate's name as SAN.
 * @throws IssuanceError
 */
export async function issueClientCertificate(request: ClientCertificateRequest): Promise<IssuedPair> {
  const { name, days = DEFAULT_CLIENT_DAYS, keyAlgorithm = 'RSA 2048', now } = request;
  const san = delegateSan(name);
  const subject = writeName({ ...request.subject, commonName: name });
  const authority = await openAuthority(request.authority, now);
  const keys = await generateKeyPair(keyAlgorithm);
  const issued = await issue(
    {
      subject,
      publicKey: await exportPublicKey(keys.publicKey),
      days,
      now,
      keyUsage: ['digitalSignature'],
      extensions: [extendedKeyUsage(Purpose.CLIENT_AUTH), subjectAlternativeName([san])],
    },
    authority,
    authority.signingKey,
  );
  return { ...issued, privateKeyPem: await writePrivateKey(keys) };
}
