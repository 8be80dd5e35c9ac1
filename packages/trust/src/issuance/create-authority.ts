import { quoteSubject } from '../wording.ts';
import { IssuanceError } from './issuance-error.ts';
import { type IssuedPair, issue } from './issue.ts';
import { type IssuingAuthority, openAuthority } from './issuing-authority.ts';
import { type SubjectInput, writeName } from './name-writer.ts';
import { writePrivateKey } from './private-key.ts';
import { exportPublicKey, generateKeyPair, type KeyAlgorithm } from './signing.ts';

export interface AuthorityRequest {
  readonly subject: SubjectInput;
  readonly keyAlgorithm?: KeyAlgorithm;
  /** Ten years unless told. */
  readonly days?: number;
  readonly now: Date;
  /** How many CAs may lie between this one and a client; no limit unless told. */
  readonly pathLength?: number;
  /** Encrypts the key. */
  readonly passphrase?: string;
  /** Signs the new CA, which makes it an intermediate; absent for a root. */
  readonly issuer?: IssuingAuthority;
}

/** Makes a CA for client certificates, with its key. RSA 2048 unless told. @throws IssuanceError */
export async function createAuthority(request: AuthorityRequest): Promise<IssuedPair> {
  const { subject, keyAlgorithm = 'RSA 2048', days = 3650, now, pathLength, passphrase } = request;
  const name = writeName(subject);
  const issuer = request.issuer === undefined ? null : await openAuthority(request.issuer, now);
  if (issuer?.facts.pathLength === 0) {
    throw new IssuanceError(
      'NOT_A_CA',
      `The CA ${quoteSubject(issuer.facts)} may not have CAs below it (path length 0). Sign the new CA with another one.`,
    );
  }
  const keys = await generateKeyPair(keyAlgorithm);
  const order = {
    subject: name,
    publicKey: await exportPublicKey(keys.publicKey),
    days,
    now,
    ca: pathLength === undefined ? {} : { pathLength },
    keyUsage: ['keyCertSign', 'cRLSign'],
    extensions: [],
  } as const;
  const issued = await issue(order, issuer, issuer?.signingKey ?? keys.privateKey);
  return { ...issued, privateKeyPem: await writePrivateKey(keys, passphrase) };
}
